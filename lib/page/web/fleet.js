// All appliances of a fleet: which site suffers, which appliance says nothing, what is open everywhere, and what only all sites
// together show. From api/v1/fleet, which the exporter reads from the servers of the fleet.

import { h, table } from './dom.js';
import { clock, count, plural, span, stamp, word, words } from './format.js';
import { badge, icon } from './icons.js';

const SHAPE = { silent: 'critical', down: 'critical', critical: 'critical', warn: 'warn', stopped: 'unknown', ok: 'ok' };
const HEALTH = { silent: 'silent', down: 'icmpscope is down', critical: 'critical', warn: 'warning', stopped: 'stopped', ok: 'well', unknown: 'not known' };
const KIND = {
	mac: 'MAC at several sites', address: 'Address at several sites', oui_storm: 'Storms by one vendor', pmtu_reporter: 'One path MTU reporter',
	router_change: 'Router changed at once', version_silent: 'Version that fell silent',
};
const WHY = {
	lost: 'Servers, network or firewall: nobody answers.',
	auth: 'The servers do not know this client: its key (fleet.reader_nkey, fleet.nkey or fleet.creds) is not in their list of users.',
	refused: 'These credentials may not read the fleet: those of an appliance may only publish. Give this exporter a key of a reader (fleet.reader_nkey; docs/fleet.md has its rights).',
	no_stream: 'The streams are not there, or have no leader now: icmpscopectl fleet setup makes them.',
	stream: 'The servers are there and do not answer in time: two of three must be up.',
	local: 'A file that fleet.* in the settings names cannot be used.',
};
const OLD_MS = 30000;

const shape = (health) => SHAPE[health] || 'unknown';
const healthBadge = (health) => badge(shape(health), HEALTH[health] || HEALTH.unknown, h);
// "2026-11-22T05:40:10.123456Z" as the appliance wrote it.
const written = (text) => (text.length > 19 ? `${text.slice(0, 19).replace('T', ' ')} UTC` : text);

// What is shown is of before: the servers are away, or nobody has looked for a while.
export function fleetIsOld(reply) {
	return !reply.connection.ok || reply.now_ms - reply.read_ms > OLD_MS;
}

export function fleetBanner(reply) {
	const c = reply && reply.connection;
	if (!c || c.ok || !c.asked)
		return null;
	return h('div', { class: 'banner', 'data-key': 'fleet-lost' },
		h('strong', {}, `${c.why === 'refused' ? 'The fleet may not be read' : 'The fleet cannot be read'} since ${stamp(c.since_ms)} (${span((reply.now_ms - c.since_ms) / 1000)})`),
		h('p', {}, reply.fleet ? `What is below is as it was at ${clock(reply.read_ms)} UTC. ` : '', WHY[c.why] || '', ' It is tried again by itself.'),
		h('p', { class: 'soft small' }, c.error));
}

function overall(f) {
	const n = f.healths, bad = n.silent + n.down + n.critical;
	const kind = bad ? 'critical' : n.warn ? 'warn' : f.appliances.total ? 'ok' : 'unknown';
	const said = Object.keys(HEALTH).filter((k) => n[k]).map((k) => `${count(n[k])} ${HEALTH[k]}`).join(', ');
	return h('section', { class: `verdict ${kind}`, id: 'content', 'aria-labelledby': 'fleet-verdict', tabindex: '-1', 'data-key': 'fleet-verdict' },
		h('div', { class: 'words' },
			h('div', { class: 'head' }, icon(kind), h('h2', { id: 'fleet-verdict' },
				!f.appliances.total ? 'No appliance has said anything yet' : bad + n.warn ? `${count(bad + n.warn)} of ${plural(f.appliances.total, 'appliance')} not well` : `${plural(f.appliances.total, 'appliance')}, none unwell`)),
			h('p', { class: 'soft' }, said ? `${said}. Silent is who has said nothing for 25 s.` : 'Each says every ten seconds how it is, once its exporter has fleet.servers.')),
		h('dl', { class: 'tiles' }, [['Sites', f.sites.total], ['Appliances', f.appliances.total], ['Silent', n.silent], ['Open findings', f.open]].map(([name, v]) =>
			h('div', {}, h('dt', {}, name), h('dd', {}, count(v))))));
}

function siteCard(x) {
	return h('li', { class: shape(x.worst), 'data-key': `site ${x.site}` },
		h('div', { class: 'name' }, icon(shape(x.worst)), h('span', {}, x.site), h('span', { class: 'unseen' }, `: ${HEALTH[x.worst]}`)),
		h('p', {}, x.unwell ? `${HEALTH[x.worst]}: ${count(x.unwell)} of ` : '', plural(x.appliances, 'appliance'), x.open ? h('span', { class: 'soft' }, `, ${plural(x.open, 'finding')}`) : ''));
}

function sites(f) {
	const left = f.sites.total - f.sites.list.length;
	return f.sites.total > 0 && h('section', { class: 'card', 'aria-labelledby': 'sites', 'data-key': 'sites' },
		h('h2', { id: 'sites' }, 'Sites'),
		h('p', { class: 'soft small' }, 'Each as its worst appliance is.'),
		h('ul', { class: f.sites.list.length > 12 ? 'segments many' : 'segments' }, f.sites.list.map(siteCard)),
		left > 0 && h('p', { class: 'soft' }, `and ${plural(left, 'site')} more, none of them worse than these.`));
}

function sinceWhen(a, now) {
	if (a.health === 'silent')
		return `last said ${stamp(a.said_ms)} (${span((now - a.said_ms) / 1000)})`;
	return a.since ? `since ${written(a.since)}` : '';
}

function bySeverity(a) {
	const parts = ['critical', 'warn', 'info'].filter((k) => a[k]).map((k) => badge(k, k === 'critical' ? `${count(a[k])} critical` : plural(a[k], word[k]), h));
	return parts.length ? h('span', { class: 'row' }, parts) : 'none';
}

function appliances(f, now) {
	const left = f.appliances.total - f.appliances.list.length;
	return f.appliances.total > 0 && h('section', { class: 'card', 'aria-labelledby': 'appliances', 'data-key': 'appliances' },
		h('h2', { id: 'appliances' }, `Appliances (${count(f.appliances.total)})`),
		table('Appliances, the worst first', [
			{ head: 'Appliance', cell: (a) => h('b', {}, `${a.site} / ${a.appliance}`) },
			{ head: 'Health', cell: (a) => [healthBadge(a.health), h('div', { class: 'small soft' }, sinceWhen(a, now)), a.why && h('div', { class: 'small' }, a.why)] },
			{ head: 'Open', cell: bySeverity },
			{ head: 'Lost', num: true, cell: (a) => (a.lost ? h('b', { class: 't-critical' }, count(a.lost)) : '0') },
			{ head: 'Version', cell: (a) => a.version || 'not known' },
			{ head: 'Up', num: true, cell: (a) => (a.uptime_s && a.health !== 'silent' ? span(a.uptime_s) : '') },
			{ head: 'Journal', cell: (a) => [a.lag_s > 60 ? `${span(a.lag_s)} behind` : a.health === 'silent' ? '' : 'in step', a.gap ? h('b', { class: 't-critical' }, `, ${plural(a.gap, 'line')} missing`) : ''] },
		], f.appliances.list, 'appliance-table'),
		left > 0 && h('p', { class: 'soft' }, `and ${plural(left, 'appliance')} more, none of them worse: icmpscopectl fleet has all.`));
}

function sameFinding(x) {
	const more = x.n_sites - Math.min(8, x.sites.length);
	return h('li', { 'data-key': `${x.kind} ${x.key}` },
		h('p', {}, h('span', { class: 'fact' }, `${KIND[x.kind] || words(x.kind)}: `), h('span', { class: 'mono' }, x.key), ` at ${plural(x.n_sites, 'site')}, ${plural(x.appliances, 'appliance')}`),
		h('p', {}, x.says),
		h('p', { class: 'soft small' }, x.sites.slice(0, 8).join(', '), more > 0 ? ` and ${count(more)} more` : ''));
}

function together(f, now) {
	const c = f.findings;
	return h('section', { class: 'card', 'aria-labelledby': 'together', 'data-key': 'together' },
		h('h2', { id: 'together' }, `What only all sites together show${c.read_ms ? ` (${count(c.total)})` : ''}`),
		h('p', { class: 'soft small' }, c.read_ms ? `Of the last day, compared ${span((now - c.read_ms) / 1000)} ago.` : 'All sites are being compared...',
			c.left_out > 0 && h('b', { class: 't-critical' }, ` ${plural(c.left_out, 'fact')} were left out: there are too many.`)),
		c.read_ms > 0 && !c.total && h('p', { class: 'empty' }, 'Nothing is the same at several sites.'),
		h('ul', { class: 'together' }, c.list.map(sameFinding)),
		c.total > c.list.length && h('p', { class: 'soft' }, `and ${count(c.total - c.list.length)} more: icmpscopectl fleet correlate has all.`));
}

function everywhere(f) {
	const a = f.anomalies;
	return h('section', { class: 'card', 'aria-labelledby': 'everywhere', 'data-key': 'everywhere' },
		h('h2', { id: 'everywhere' }, `Open findings everywhere (${count(f.open)})`),
		!a.total && h('p', { class: 'empty' }, f.open ? 'Appliances tell their number alone.' : 'None is open.'),
		a.list.length > 0 && table('Open findings, critical ones first', [
			{ head: 'Where', cell: (x) => [badge(word[x.severity] ? x.severity : 'unknown', word[x.severity] || word.unknown, h), h('div', {}, h('b', {}, `${x.site} / ${x.appliance}`)), x.vlan && h('div', { class: 'soft' }, `VLAN ${x.vlan}`)] },
			{ head: 'What', cell: (x) => h('div', { class: 'says' }, h('b', {}, words(x.name), x.variant ? ` (${words(x.variant)})` : ''), ' ', x.says) },
			{ head: 'About', mono: true, cell: (x) => h('div', { class: 'about' }, x.subject) },
			{ head: 'Since', cell: (x) => written(x.first) },
		], a.list, 'everywhere-table'),
		a.total > 50 && h('nav', { class: 'row end', 'aria-label': 'Pages of findings everywhere' },
			h('span', { class: 'soft' }, a.list.length ? `${count(a.start + 1)} to ${count(a.start + a.list.length)} of ${count(a.total)}` : `none from ${count(a.start + 1)} on, of ${count(a.total)}`),
			h('span', { class: 'row' },
				h('button', { type: 'button', 'data-act': 'fleet-back', disabled: !a.start }, 'Back'),
				h('button', { type: 'button', 'data-act': 'fleet-on', disabled: a.start + 50 >= a.total }, 'More'))));
}

export function fleetPanels(reply) {
	const f = reply.fleet;
	return [overall(f), sites(f), appliances(f, reply.now_ms), together(f, reply.now_ms), everywhere(f)];
}
