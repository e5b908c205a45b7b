// MLD: how much of it there is, who asks, and when the multicast table of the switch is full.

import { h, table } from './dom.js';
import { count, plural, rate } from './format.js';
import { meter } from './plot.js';

function forecast(f, width) {
	const hours = f.hours_to_full, when = hours === undefined ? null : hours < 48 ? `${count(hours)} hours` : `${count(hours / 24)} days`;
	const words = f.table_used >= f.table_cap ? h('b', { class: 't-critical' }, 'It is full: groups beyond it are flooded or not forwarded. ') :
		f.hosts_to_full !== undefined ? `A host takes ${f.entries_per_host} entries: full with about ${count(f.hosts_to_full)} more hosts (${count(f.hosts_at_full)} in all). ` : '';
	return h('div', { 'data-key': `table ${f.port}` },
		h('div', { class: 'row end' }, h('span', {}, `Multicast table at port ${f.port}`), h('b', {}, `${count(f.table_used)} of ${count(f.table_cap)} entries (${f.table_percent} %)`)),
		meter({ label: `Multicast table of the switch at port ${f.port}`, percent: f.table_percent, width, text: `${f.table_used} of ${f.table_cap} entries` }),
		h('p', { class: 'soft small' }, words, f.growth_per_day !== undefined && `It grew by ${count(f.growth_per_day)} entries in 24 h`, when && `: full in about ${when}. `,
			`Counted by model "${f.table_model}" (detect.table_model), capacity from detect.table_cap.`));
}

export function multicast(doc, width) {
	const segments = doc.segments.list.filter((x) => x.memberships > 0).sort((a, b) => b.mld_pps - a.mld_pps || b.memberships - a.memberships).slice(0, 8);
	return h('section', { class: 'card half', 'aria-labelledby': 'multicast', 'data-key': 'multicast' },
		h('h2', { id: 'multicast' }, 'Multicast (MLD)'),
		h('p', { class: 'soft small' }, `${plural(doc.segments.groups, 'group')}, ${plural(doc.segments.memberships, 'membership')}`, doc.segments.mld_pps !== undefined ? `, ${rate(doc.segments.mld_pps)} MLD messages a second.` : '.'),
		doc.segments.memberships || doc.queriers.total ? [
			doc.forecasts.map((f) => forecast(f, width)),
			segments.length > 0 && table('Segments by MLD load', [
				{ head: 'Segment', cell: (x) => x.where },
				{ head: 'MLD a second', num: true, cell: (x) => rate(x.mld_pps) },
				{ head: 'Groups', num: true, cell: (x) => count(x.groups) },
				{ head: 'Memberships', num: true, cell: (x) => count(x.memberships) },
				{ head: 'Hosts', num: true, cell: (x) => count(x.member_hosts) },
			], segments, 'mld-load'),
			doc.queriers.list.length > 0 ? table(`Who asks for listeners${doc.queriers.total > doc.queriers.list.length ? ` (${doc.queriers.list.length} of ${doc.queriers.total})` : ''}`, [
				{ head: 'Querier', mono: true, cell: (q) => q.address },
				{ head: 'Where', cell: (q) => q.where },
				{ head: 'In charge', cell: (q) => (q.in_charge ? 'yes' : 'no') },
				{ head: 'Asks every', num: true, cell: (q) => (q.interval_ms ? `${rate(q.interval_ms / 1000)} s` : 'once') },
				{ head: 'Answers within', num: true, cell: (q) => `${rate(q.mrd_ms / 1000)} s` },
				{ head: 'MLD', num: true, cell: (q) => `v${q.version}` },
			], doc.queriers.list.slice(0, 8), 'queriers') : h('p', { class: 'empty' }, 'No querier was heard: without one, snooping switches forget members.'),
		] : h('p', { class: 'empty' }, 'No multicast membership was reported.'));
}
