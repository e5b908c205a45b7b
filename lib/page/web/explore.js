// The large tables, a page at a time, as the telemetry socket has them.

import { h, table } from './dom.js';
import { MS, count, plural, stamp, words } from './format.js';

export const FAMILIES = { host: 'Hosts', neighbor: 'Addresses', group: 'Multicast groups', pmtu: 'Paths', prefix: 'Prefixes and options', router: 'Routers', segment: 'Segments', reporter: 'Routers that told MTUs', querier: 'MLD queriers', gateway: 'Events of gateways', anomaly: 'Findings', detector: 'Detectors', worker: 'Workers', port: 'Ports' };

function cell(key, v) {
	if (key.endsWith('_ns'))
		return !v ? '' : v > 9e18 ? 'for ever' : stamp(v / MS);
	return typeof v === 'number' ? (key === 'id' || key === 'vlan' ? v : count(v)) : v;
}

// e: {family, start, back: [starts], page, error}
export function explore(e) {
	const page = e.page, keys = page ? Object.keys(page).filter((k) => Array.isArray(page[k])) : [];
	const rows = keys.length ? page[keys[0]].map((_, i) => i) : [];
	return h('section', { class: 'card', 'aria-labelledby': 'explore', 'data-key': 'explore' },
		h('h2', { id: 'explore' }, 'Tables'),
		h('p', { class: 'soft small' }, 'All that icmpscope knows, a page at a time.'),
		h('div', { class: 'row end' },
			h('label', {}, 'Table ', h('select', { 'data-act': 'family', id: 'family' }, h('option', { value: '' }, 'choose one'), Object.entries(FAMILIES).map(([k, name]) => h('option', { value: k }, name)))),
			page && h('nav', { class: 'row', 'aria-label': 'Pages of the table' },
				h('span', { class: 'soft' }, page.total !== undefined ? `${plural(rows.length, 'row')} of ${count(page.total)}` : plural(rows.length, 'row')),
				h('button', { type: 'button', 'data-act': 'rows-back', disabled: e.back.length === 0 }, 'Back'),
				h('button', { type: 'button', 'data-act': 'rows-on', disabled: !page.more }, 'More'))),
		e.error && h('p', { class: 't-critical', role: 'alert' }, e.error),
		page && table(FAMILIES[e.family], keys.map((k) => ({ head: words(k.replace(/_ns$/, '')), num: typeof page[k][0] === 'number' && !k.endsWith('_ns'), mono: /address|mac|host|far|group|prefix|reporter|router$/.test(k) && typeof page[k][0] === 'string', cell: (i) => cell(k, page[k][i]) })), rows, `rows ${e.family} ${e.start}`));
}
