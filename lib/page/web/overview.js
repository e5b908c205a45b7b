// What one sees first: is it well, and which segment is not.

import { h } from './dom.js';
import { count, plural, rate } from './format.js';
import { badge, icon } from './icons.js';

export function notAssessed(doc) {
	return doc.detectors.list.filter((d) => d.state === 'not_assessed');
}

export function lost(info) {
	return (info.missed || 0) + (info.no_mbuf || 0) + (info.errors || 0) + (info.dropped || 0);
}

function judge(doc) {
	const a = doc.anomalies;
	if (doc.kind === 'report') {
		const all = [...a.list, ...a.before.filter((x) => !x.muted)];
		const n = (severity) => all.filter((x) => x.severity === severity).length;
		if (n('critical'))
			return ['critical', `${plural(n('critical'), 'critical problem')} found${n('warn') ? `, and ${plural(n('warn'), 'warning')}` : ''}`];
		if (n('warn'))
			return ['warn', `${plural(n('warn'), 'warning')} found`];
		return doc.info.control > 0 ? ['ok', 'Nothing wrong was found in what could be looked at'] : ['unknown', 'No control message is in the capture: nothing could be judged'];
	}
	if (a.critical)
		return ['critical', `${plural(a.critical, 'critical problem')}${a.warn ? `, ${plural(a.warn, 'warning')}` : ''}`];
	if (a.warn)
		return ['warn', plural(a.warn, 'warning')];
	if (!doc.info.control)
		return ['unknown', 'No control message was seen yet: does the mirror deliver anything?'];
	return ['ok', a.info ? `No problem; ${plural(a.info, 'note')}` : 'Nothing is wrong in what can be seen here'];
}

export function verdict(doc, rates) {
	const [state, words] = judge(doc);
	const info = doc.info, sick = doc.segments.critical + doc.segments.warn;
	const gateways = doc.segments.list.reduce((n, x) => n + x.default_routers, 0);
	const on = doc.detectors.list.filter((d) => d.state === 'on').length, blind = notAssessed(doc).length;
	const tiles = [
		doc.kind === 'live' && rates ? ['Frames a second', rate(rates.frames)] : ['Frames', count(info.frames)],
		doc.kind === 'live' && rates ? ['Control messages a second', rate(rates.control)] : ['Control messages', count(info.control)],
		['Hosts', count(info.hosts)],
		['Default gateways', count(gateways)],
		['Lost', count(lost(info))],
	];
	return h('section', { class: `verdict ${state}`, id: 'content', 'aria-labelledby': 'verdict', tabindex: '-1', 'data-key': 'verdict' },
		h('div', { class: 'words' },
			h('div', { class: 'head' }, icon(state), h('h2', { id: 'verdict' }, words)),
			h('p', { class: 'soft' },
				sick ? `On ${count(sick)} of ${plural(doc.segments.total, 'segment')}. ` : `${plural(doc.segments.total, 'segment')} seen. `,
				`${count(on)} detectors look; `,
				blind ? `${count(blind)} cannot judge what this tap shows. ` : 'none is without what it needs. ',
				lost(info) ? h('b', { class: 't-critical' }, `${count(lost(info))} frames or messages were lost: counts and silence are not complete.`) :
					`Nothing was lost of ${plural(info.frames, 'frame')}.`)),
		h('dl', { class: 'tiles' }, tiles.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))));
}

// brief: one of many.
function segment(x, doc, brief) {
	const gateways = x.default_routers === 0 ? (x.routers ? 'no gateway left' : 'no gateway seen') : plural(x.default_routers, 'gateway');
	const findings = doc.kind === 'report' ? x.findings : x.open;
	return h('li', { class: x.health, 'data-key': `segment ${x.id}` },
		h('div', { class: 'name' }, icon(x.health), h('span', {}, x.where), h('span', { class: 'unseen' }, `: ${x.health}`)),
		brief ? h('p', {}, gateways, findings ? h('span', { class: 'soft' }, `, ${plural(findings, 'finding')}`) : '') : h('p', {}, h('span', { class: x.default_routers === 0 && x.routers ? 't-critical' : null }, gateways), `, ${plural(x.hosts, 'host')}, ${plural(x.bindings, 'address', 'addresses')}`),
		!brief && h('p', { class: 'soft' }, findings ? `${plural(findings, 'finding')} · ` : '', `${count(x.messages)} messages`, doc.kind === 'live' && ` · MLD ${rate(x.mld_pps)}/s`));
}

export function segments(doc) {
	const all = doc.segments, left = all.total - all.list.length;
	return h('section', { class: 'card', 'aria-labelledby': 'segments', 'data-key': 'segments' },
		h('h2', { id: 'segments' }, 'Segments'),
		h('p', { class: 'soft row small' }, ['critical', 'warn', 'info', 'ok'].filter((k) => all[k]).map((k) => badge(k, `${count(all[k])} ${{ critical: 'critical', warn: 'with warnings', info: 'with notes', ok: 'well' }[k]}`, h))),
		all.list.length ? h('ul', { class: all.list.length > 12 ? 'segments many' : 'segments' }, all.list.map((x) => segment(x, doc, all.list.length > 12))) : h('p', { class: 'empty' }, 'No segment yet: nothing of ND or MLD was seen.'),
		left > 0 && h('p', { class: 'soft' }, `and ${count(left)} more, none of them worse than these${doc.kind === 'live' ? ' (Tables, below, has all)' : ''}.`));
}
