// Path MTUs: before which router a path gets narrow, how narrow, why perhaps, and what to clamp to.

import { h, s, table } from './dom.js';
import { MS, ago, count, plural } from './format.js';

// A pipe of the LAN's width that gets narrow behind the router.
function pipe(r, width) {
	const high = 40, mid = width * 0.42, wide = 26, share = Math.min(1, Math.max(0, (r.mtu - 1000) / 500));
	// Not to scale: 8 octets less are as fatal as 200, and are to be seen.
	const thin = r.mtu < 1500 ? wide * (0.25 + 0.55 * share) : wide;
	const y0 = (high - wide) / 2, y1 = (high - thin) / 2;
	const name = `The LAN carries 1500 octets, behind ${r.address} paths carry ${r.mtu}`;
	return s('svg', { class: 'plot', width, height: high, viewBox: `0 0 ${width} ${high}`, role: 'img', 'aria-label': name },
		s('path', { class: `pipe ${r.mtu < 1500 ? 'tight' : ''}`, d: `M1 ${y0}H${mid}L${mid + 16} ${y1}H${width - 1}V${y1 + thin}H${mid + 16}L${mid} ${y0 + wide}H1Z` }),
		s('text', { class: 'strong', x: 10, y: high / 2 + 4 }, width > 300 ? 'LAN' : ''),
		s('text', { class: 'strong', x: mid - 6, y: high / 2 + 4, 'text-anchor': 'end' }, '1,500'),
		s('text', { class: 'strong', x: width - 8, y: thin < 17 ? y1 - 3 : high / 2 + 4, 'text-anchor': 'end' }, `${count(r.mtu)} octets`));
}

function reporter(r, width, now) {
	return h('div', { 'data-key': `reporter ${r.address} ${r.vlan} ${r.port}` },
		h('div', { class: 'row end' }, h('span', {}, 'behind ', h('span', { class: 'mono' }, r.address), h('span', { class: 'soft' }, `, ${r.where}`)),
			h('b', {}, r.paths ? plural(r.paths, 'path') : 'no path of late', r.paths && r.far_prefixes > 1 ? ` to ${count(r.far_prefixes)} networks` : '')),
		pipe(r, width),
		h('p', { class: 'small' }, r.mtu < 1500 ? h('b', {}, `Clamp the TCP MSS to ${count(r.mss4)} for IPv4, ${count(r.mss6)} for IPv6. `) : '',
			h('span', { class: 'soft' }, r.guess && `${r.guess}${r.confidence ? ` (${r.confidence} confidence)` : ''}. `, `${plural(r.messages, 'message')}, the latest ${ago(r.last_ns / MS, now)}.`)));
}

export function pmtu(doc, width, now) {
	const all = doc.reporters, list = all.list.slice(0, 6), info = doc.info;
	return h('section', { class: 'card half', 'aria-labelledby': 'pmtu', 'data-key': 'pmtu' },
		h('h2', { id: 'pmtu' }, 'Path MTU'),
		h('p', { class: 'soft small' }, info.paths ? `${plural(info.paths, 'path')} narrower than the LAN, told by ${plural(all.total, 'router')}. ` : '',
			info.black_holes ? h('b', { class: 't-critical' }, `${plural(info.black_holes, 'black hole')}: packets vanish there.`) : info.paths ? 'No black hole is known.' : ''),
		list.length ? list.map((r) => reporter(r, width, now)) : h('p', { class: 'empty' }, info.black_holes ? 'Nobody told an MTU: see the findings.' : 'No router said that a packet was too long.'),
		all.list.length > list.length && h('details', { 'data-key': 'reporters' }, h('summary', {}, `${count(all.list.length - list.length)} more${all.total > all.list.length ? ` of ${count(all.total)} in all` : ''}`),
			table('Routers that told path MTUs, by paths', [
				{ head: 'Router', mono: true, cell: (r) => r.address },
				{ head: 'Where', cell: (r) => r.where },
				{ head: 'MTU', num: true, cell: (r) => count(r.mtu) },
				{ head: 'MSS IPv4', num: true, cell: (r) => count(r.mss4) },
				{ head: 'MSS IPv6', num: true, cell: (r) => count(r.mss6) },
				{ head: 'Paths', num: true, cell: (r) => count(r.paths) },
				{ head: 'Why', cell: (r) => r.guess },
			], all.list.slice(6))));
}
