// Is icmpscope itself well: load, rings, and what was lost where.

import { h, table } from './dom.js';
import { count, plural } from './format.js';
import { meter } from './plot.js';
import { lost } from './overview.js';

function ring(w, name) {
	const size = w[`${name}_size`];
	const percent = size ? Math.round((100 * w[`${name}_used`]) / size) : 0, peak = size ? Math.round((100 * w[`${name}_peak`]) / size) : 0;
	return `${percent} % (peak ${peak} %)`;
}

export function workers(doc) {
	const list = doc.workers.list.slice(0, 16), info = doc.info;
	return h('section', { class: 'card half', 'aria-labelledby': 'workers', 'data-key': 'workers' },
		h('h2', { id: 'workers' }, 'Workers and loss'),
		h('p', { class: 'soft small' }, lost(info) ? h('b', { class: 't-critical' }, `Lost: ${count(info.missed + info.no_mbuf + info.errors)} frames at the port, ${count(info.dropped)} messages in the rings. `) : 'Nothing was lost. ',
			info.conservation_ok ? 'Every frame is in one counter.' : h('b', { class: 't-critical' }, 'The counters do not add up.')),
		table('Workers', [
			{ head: 'Worker', cell: (w) => `${w.worker} (port ${w.port}, CPU ${w.cpu})` },
			{ head: 'Busy', cell: (w) => [h('span', {}, `${w.busy_percent} %`), meter({ label: `Worker ${w.worker} busy`, percent: w.busy_percent, width: 70 })] },
			{ head: 'Cycles a packet', num: true, cell: (w) => count(w.cycles_per_packet) },
			{ head: 'Urgent ring', num: true, cell: (w) => ring(w, 'urgent') },
			{ head: 'Bulk ring', num: true, cell: (w) => ring(w, 'bulk') },
			{ head: 'Dropped', num: true, cell: (w) => (w.dropped ? h('b', { class: 't-critical' }, count(w.dropped)) : '0') },
		], list, 'worker-table'),
		doc.workers.total > list.length && h('p', { class: 'soft' }, `and ${plural(doc.workers.total - list.length, 'worker')} more (Tables, below).`),
		table('Ports', [
			{ head: 'Port', cell: (p) => `${p.port}: ${p.device}` },
			{ head: 'Link', cell: (p) => (p.link_up ? 'up' : h('b', { class: 't-critical' }, 'down')) },
			{ head: 'Frames', num: true, cell: (p) => count(p.rx_packets) },
			{ head: 'Missed', num: true, cell: (p) => (p.missed + p.no_mbuf ? h('b', { class: 't-critical' }, count(p.missed + p.no_mbuf)) : '0') },
			{ head: 'Broken', num: true, cell: (p) => count(p.errors) },
		], doc.ports.list, 'port-table'));
}
