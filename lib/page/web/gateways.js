// The timeline of gateways: a lane a router, a bar while hosts hold it as their default router, a mark where it was taken from
// them and how, hatching while nobody was left.

import { h, s, table } from './dom.js';
import { MS, ago, clock, count, plural, span, stamp } from './format.js';
import { tickText, timeTicks } from './plot.js';

const SIGNS = { retracted: ['0', 'lifetime 0'], flag_cleared: ['R', 'router flag cleared'], expired: ['E', 'lifetime ran out'] };
const SAYS = { advertised: 'became a default gateway', changed: 'changed what it advertises', retracted: 'withdrew itself (lifetime 0)', flag_cleared: 'said it is no router (router flag 0)', expired: 'was not heard again: its lifetime ran out', restart: 'icmpscope was started anew' };
const LANES = 12;

function lanes(doc) {
	const all = new Map();
	const lane = (x, id) => {
		if (!all.has(id))
			all.set(id, { id, address: x.address, mac: x.mac, where: x.where, segment: x.segment, events: [], state: null, trouble: 0 });
		return all.get(id);
	};
	for (const e of doc.gateways.events) {
		const l = lane(e, e.router);
		l.events.push(e);
		if (e.what !== 'advertised' && e.what !== 'changed')
			l.trouble = Math.max(l.trouble, e.ts_ns);
	}
	for (const r of doc.gateways.routers.list)
		if (all.has(r.id) || r.state === 'default')
			Object.assign(lane(r, r.id), { state: r.state, router: r });
	return [...all.values()].sort((a, b) => b.trouble - a.trouble || a.id - b.id);
}

// [from, to, lifetime, preference] while it was held, [at, event] where it was lost.
function bars(lane, from, to) {
	const held = [], marks = [];
	let open = null;
	for (const e of lane.events) {
		const t = e.ts_ns / MS;
		if (e.what === 'advertised' || e.what === 'changed') {
			if (open)
				held.push([open[0], t, open[1], open[2]]);
			open = [t, e.lifetime_s, e.preference];
		} else {
			held.push([open ? open[0] : from, t, open ? open[1] : e.lifetime_before_s, open ? open[2] : e.preference]);
			marks.push([t, e]);
			open = null;
		}
	}
	if (open || (lane.events.length === 0 && lane.state === 'default'))
		held.push([open ? open[0] : from, to, open ? open[1] : lane.router.lifetime_s, open ? open[2] : '']);
	return [held, marks];
}

// Until when nobody was left on the segment after t.
function relief(doc, segment, t, to) {
	const next = doc.gateways.events.find((e) => e.segment === segment && e.what === 'advertised' && e.ts_ns / MS > t);
	return next ? next.ts_ns / MS : to;
}

function drawLane(doc, lane, y, from, to, width, narrow) {
	const x = (t) => ((Math.min(Math.max(t, from), to) - from) / (to - from)) * width;
	const [held, marks] = bars(lane, from, to);
	const top = y + 17, out = [];
	out.push(s('text', { class: 'strong', x: 0, y: y + 11 }, `${lane.address}${narrow ? '' : ` (${lane.mac})`}`),
		s('text', { x: width, y: y + 11, 'text-anchor': 'end' }, lane.where),
		s('rect', { class: 'track', x: 0, y: top, width, height: 16, rx: 2 }));
	for (const [t, e] of marks)
		if (e.left === 0 && t <= to && relief(doc, lane.segment, t, to) > from) {
			const end = relief(doc, lane.segment, t, to), w = x(end) - x(t);
			out.push(s('rect', { class: 'gone', x: x(t), y: top, width: Math.max(1, w), height: 16 }, s('title', {}, `no gateway left from ${clock(t)} on, for ${span((end - t) / 1000)}`)));
			if (w > 150)
				out.push(s('text', { class: 'bad', x: x(t) + w / 2 + 6, y: top + 12, 'text-anchor': 'middle' }, `no gateway left, ${span((end - t) / 1000)}`));
		}
	for (const [a, b, lifetime, preference] of held) {
		if (b < from || a > to)
			continue;
		const w = Math.max(2, x(b) - x(a)), text = `${lifetime ? `${count(lifetime)} s` : ''}${preference ? `, ${preference}` : ''}`;
		out.push(s('rect', { class: `held ${preference}`, x: x(a), y: top, width: w, height: 16, rx: 2 }, s('title', {}, `${lane.address}: lifetime ${text} preference, ${clock(a)} to ${clock(b)}`)));
		if (w > 110)
			out.push(s('text', { class: 'on', x: x(a) + 8, y: top + 12 }, text));
	}
	let beside = -Infinity;
	for (const [t, e] of marks) {
		if (t < from || t > to)
			continue;
		const title = s('title', {}, `${clock(t)}: ${SAYS[e.what]}; ${e.left} left`), close = x(t) - beside < 19;
		// Where they crowd, a line says that there is another one; the table has them all.
		if (close)
			out.push(s('g', {}, title, s('rect', { class: 'mark', x: x(t), y: top, width: 1.5, height: 16 })));
		else
			out.push(s('g', {}, title,
				s('circle', { class: `mark ${e.what === 'expired' ? 'soft' : ''}`, cx: Math.min(Math.max(x(t), 9), width - 9), cy: top + 8, r: 9 }),
				s('text', { class: 'on', x: Math.min(Math.max(x(t), 9), width - 9), y: top + 12, 'text-anchor': 'middle' }, SIGNS[e.what][0])));
		beside = close ? beside : x(t);
	}
	return out;
}

function drawing(doc, shown, from, to, width) {
	const step = 44, height = shown.length * step + 18, narrow = width < 620;
	const ticks = timeTicks(from, to, width), x = (t) => ((t - from) / (to - from)) * width;
	return s('svg', { class: 'plot', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `Timeline of ${plural(shown.length, 'gateway')}, ${stamp(from)} to ${stamp(to)}; the table of events below says the same` },
		s('defs', {}, s('pattern', { id: 'hatch', width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
			s('rect', { class: 'notch', width: 7, height: 7 }), s('rect', { class: 'mark', width: 1.6, height: 7 }))),
		ticks.map((t) => s('line', { class: 'axis', x1: x(t), x2: x(t), y1: 14, y2: height - 16 })),
		shown.map((lane, i) => drawLane(doc, lane, i * step, from, to, width, narrow)),
		ticks.map((t) => s('text', { x: Math.min(Math.max(x(t), 18), width - 18), y: height - 3, 'text-anchor': 'middle' }, tickText(t, from, to))));
}

export function gateways(doc, range, width, all) {
	const lane = lanes(doc), shown = all ? lane : lane.slice(0, LANES), now = range.to;
	const events = [...doc.gateways.events].reverse();
	return h('section', { class: 'card', 'aria-labelledby': 'gateways', 'data-key': 'gateways' },
		h('h2', { id: 'gateways' }, 'Gateways'),
		h('p', { class: 'soft small' }, 'A bar: hosts hold this router as a default gateway, with the lifetime and preference it advertises. ',
			Object.entries(SIGNS).map(([, [sign, text]], i) => [i ? ', ' : 'Marks: ', h('b', {}, sign), ` ${text}`]), '. Hatched: nobody was left.'),
		lane.length ? drawing(doc, shown, range.from, range.to, width) : h('p', { class: 'empty' }, 'No router advertised itself as a default gateway.'),
		lane.length > shown.length && h('p', {}, h('button', { type: 'button', 'data-act': 'all-lanes' }, `Show all ${count(lane.length)} gateways`)),
		doc.gateways.skipped > 0 && h('p', { class: 't-warn' }, `${count(doc.gateways.skipped)} events came too fast to be kept: a flood of routers?`),
		events.length > 0 && h('details', { 'data-key': 'gateway-events' }, h('summary', {}, `Events (${count(events.length)}), and who remained`),
			table('What happened to default gateways, latest first', [
				{ head: 'When', cell: (e) => stamp(e.ts_ns / MS) },
				{ head: 'Gateway', mono: true, cell: (e) => e.address },
				{ head: 'Where', cell: (e) => e.where },
				{ head: 'What', cell: (e) => SAYS[e.what] || e.what },
				{ head: 'Lifetime', num: true, cell: (e) => (e.what === 'advertised' ? `${count(e.lifetime_s)} s` : e.what === 'expired' || e.what === 'flag_cleared' ? `was ${count(e.lifetime_before_s)} s` : `${count(e.lifetime_before_s)} → ${count(e.lifetime_s)} s`) },
				{ head: 'Preference', cell: (e) => e.preference },
				{ head: 'Gateways left', num: true, cell: (e) => (e.left === 0 ? h('b', { class: 't-critical' }, 'none') : count(e.left)) },
			], events)),
		doc.gateways.routers.list.length > 0 && h('details', { 'data-key': 'gateway-now' }, h('summary', {}, `Routers now (${count(doc.gateways.routers.total)})`),
			table('Routers and what conforming hosts hold of each', [
				{ head: 'Address', mono: true, cell: (r) => r.address },
				{ head: 'MAC', mono: true, cell: (r) => r.mac },
				{ head: 'Where', cell: (r) => r.where },
				{ head: 'State', cell: (r) => ({ default: 'default gateway', retracted: 'withdrawn', hosted: 'no router (flag)', expired: 'expired', nondefault: 'never a gateway', unknown: 'configured, not heard' }[r.state] || r.state) },
				{ head: 'Lifetime', num: true, cell: (r) => `${count(r.lifetime_s)} s` },
				{ head: 'RAs', num: true, cell: (r) => count(r.ra_count) },
				{ head: 'Latest RA', cell: (r) => (r.last_ra_ns ? ago(r.last_ra_ns / MS, now) : 'none') },
			], doc.gateways.routers.list)));
}
