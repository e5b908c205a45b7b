// Findings: how bad, who, what it does, what to do, and the frames that prove it.

import { h } from './dom.js';
import { MS, ago, count, plural, span, stamp, word, words } from './format.js';
import { badge } from './icons.js';

// So many stand open; the others are unfolded.
const FIRST = 10;
const RANK = { critical: 2, warn: 1, info: 0 };

// The first sentence says what happened, the rest what to do.
function parts(says) {
	const end = says.search(/\.\s+[A-Z]/);
	return end < 0 ? [says, ''] : [says.slice(0, end + 1), says.slice(end + 1).trim()];
}

function value(v) {
	return v === true ? 'yes' : v === false ? 'no' : typeof v === 'number' ? (Number.isInteger(v) && Math.abs(v) >= 10000 ? count(v) : v) : v === '' ? 'none' : v;
}

function facts(a) {
	const rows = [...Object.entries(a.subject), ...Object.entries(a.evidence)];
	return h('details', {},
		h('summary', {}, `${plural(rows.length, 'fact')}`, h('span', { class: 'unseen' }, ` about finding ${a.id}`)),
		h('dl', { class: 'facts' }, rows.map(([k, v]) => [h('dt', {}, words(k)), h('dd', { class: 'mono' }, value(v))])));
}

function evidence(a, doc) {
	if (!a.frames_kept)
		return h('span', { class: 'soft' }, 'no frame: found by time or counters');
	const name = `icmpscope-${a.id}-${a.name}.pcapng`;
	if (doc.kind === 'live')
		return h('a', { href: `evidence/${a.id}.pcapng`, download: name }, `Evidence: ${plural(a.frames_kept, 'frame')} (pcapng)`, h('span', { class: 'unseen' }, ` of finding ${a.id}`));
	const data = doc.evidence && doc.evidence[a.id];
	return data && /^[A-Za-z0-9+/=]+$/.test(data) ?
		h('a', { href: `data:application/octet-stream;base64,${data}`, download: name }, `Evidence: ${plural(a.frames_kept, 'frame')} (pcapng)`, h('span', { class: 'unseen' }, ` of finding ${a.id}`)) :
		h('span', { class: 'soft' }, `${plural(a.frames_kept, 'frame')}: icmpscope-read --evidence FILE writes them`);
}

function article(a, doc, now) {
	const [fact, advice] = parts(a.says);
	const culprit = Object.entries(a.subject).map(([k, v]) => `${words(k)} ${value(v)}`).join(', ');
	const first = a.first_ns / MS, last = a.last_ns / MS, cleared = a.cleared_ns && a.cleared_ns / MS;
	return h('article', { class: `anomaly ${a.severity}`, 'data-key': `anomaly ${a.id}`, 'aria-labelledby': `anomaly-${a.id}` },
		h('h3', { id: `anomaly-${a.id}` }, badge(a.severity, word[a.severity], h), h('span', {}, words(a.name), a.variant ? ` (${words(a.variant)})` : ''),
			h('span', { class: 'soft' }, a.where),
			a.state === 'cleared' && h('span', { class: 'badge ok' }, 'ended'), a.muted ? h('span', { class: 'badge unknown' }, 'muted') : null,
			a.acked ? h('span', { class: 'badge unknown' }, 'seen') : null, a.lenient ? h('span', { class: 'badge unknown' }, 'only what conforming hosts discard') : null),
		h('p', {}, h('span', { class: 'fact' }, fact), advice && ' ', advice),
		h('div', { class: 'line' },
			culprit && h('span', { class: 'mono' }, culprit),
			h('span', { class: 'soft' }, doc.kind === 'live' ? `${ago(first, now)}, ` : '', stamp(first), last - first >= 1000 ? `, for ${span((last - first) / 1000)}` : '', cleared ? `, ended ${stamp(cleared)}` : ''),
			h('span', { class: 'soft' }, plural(a.count, 'message')),
			a.rfc && h('span', { class: 'soft' }, `RFC ${a.rfc}`),
			evidence(a, doc)),
		facts(a));
}

export function anomalies(doc, now, page) {
	const a = doc.anomalies, report = doc.kind === 'report';
	const found = report ? [...a.list, ...a.before].sort((x, y) => RANK[y.severity] - RANK[x.severity] || x.first_ns - y.first_ns) : a.list;
	const total = report ? a.kept : a.open;
	const shown = page && page.start > 0 ? page.list : found;
	return [
		h('section', { class: 'card', 'aria-labelledby': 'anomalies', 'data-key': 'anomalies' },
			h('h2', { id: 'anomalies' }, report ? `Findings (${count(total)})` : `Open findings (${count(total)})`),
			!total && h('p', { class: 'empty' }, report ? 'None.' : 'None is open.'),
			h('div', { class: 'findings' }, shown.slice(0, FIRST).map((x) => article(x, doc, now))),
			shown.length > FIRST && h('details', { 'data-key': 'more-findings' }, h('summary', {}, `${count(shown.length - FIRST)} more, none of them worse`),
				h('div', { class: 'findings' }, shown.slice(FIRST).map((x) => article(x, doc, now)))),
			report && total > found.length && h('p', { class: 'soft' }, `and ${count(total - found.length)} more: icmpscope-read --json has all.`),
			!report && total > found.length && h('nav', { class: 'row end', 'aria-label': 'Pages of findings' },
				h('span', { class: 'soft' }, page && page.start > 0 ? `${count(page.start + 1)} to ${count(page.start + page.list.length)} of ${count(total)} open` : `The ${count(found.length)} worst of ${count(total)} open`),
				h('span', { class: 'row' },
					h('button', { type: 'button', 'data-act': 'findings-back', disabled: !(page && page.start > 0) }, 'Back'),
					h('button', { type: 'button', 'data-act': 'findings-on', disabled: (page ? page.start : 0) + 50 >= total }, 'More')))),
		!report && a.before.length > 0 && h('section', { class: 'card', 'aria-labelledby': 'ended', 'data-key': 'ended' },
			h('h2', { id: 'ended' }, 'Ended lately'),
			h('details', { 'data-key': 'ended-list' }, h('summary', {}, `${plural(a.cleared, 'finding')} that ${a.cleared === 1 ? 'is' : 'are'} over${a.cleared > a.before.length ? `, the latest ${a.before.length} here` : ''}`),
				h('div', { class: 'findings' }, a.before.map((x) => article(x, doc, now))))),
	];
}
