// Drawings: lines over time, meters. Each has a name for who does not see it, and a table or words beside it.

import { h, s } from './dom.js';
import { clock, count, rate } from './format.js';

// A round number at or above v.
export function ceiling(v) {
	if (v <= 0)
		return 1;
	const power = 10 ** Math.floor(Math.log10(v));
	return [1, 2, 2.5, 5, 10].map((m) => m * power).find((m) => m >= v * 0.999);
}

export function timeTicks(from, to, width) {
	const steps = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800].map((v) => v * 1000);
	const room = Math.max(2, Math.floor(width / 90));
	const step = steps.find((v) => (to - from) / v <= room) || steps[steps.length - 1];
	const ticks = [];
	for (let t = Math.ceil(from / step) * step; t <= to && ticks.length < 50; t += step)
		ticks.push(t);
	return ticks;
}

export function tickText(ms, from, to) {
	if (to - from > 3 * 86400000)
		return new Date(ms).toISOString().slice(5, 10);
	return to - from > 600000 ? clock(ms).slice(0, 5) : clock(ms);
}

// What each column of pixels shows: the highest value that falls in it, so that no peak is lost. A value holds from the point before to its own.
function bins(points, from, to, n, gap) {
	const high = new Array(n).fill(null), each = (to - from) / n;
	points.forEach(([t, v], i) => {
		const before = i > 0 && t - points[i - 1][0] <= gap ? points[i - 1][0] : t - Math.min(gap, each);
		const first = Math.max(0, Math.floor((before - from) / each)), last = Math.min(n - 1, Math.ceil((t - from) / each) - 1);
		for (let k = first; k <= last; k++)
			high[k] = high[k] === null ? v : Math.max(high[k], v);
	});
	return high;
}

// points: [[ms, value]] in order; gaps longer than gap ms stay open.
export function lineChart({ title, unit, points, from, to, width, kind, max, gap, isRate }) {
	const height = 74, bottom = 16, top = 6;
	const inside = points.filter(([t, v]) => t > from && t <= to && Number.isFinite(v));
	const n = Math.max(20, Math.floor(width / 3)), each = width / n, values = bins(inside, from, to, n, gap);
	const peak = values.reduce((m, v) => Math.max(m, v || 0), 0), high = max || ceiling(peak);
	const x = (t) => ((t - from) / Math.max(1, to - from)) * width;
	const y = (v) => (top + (1 - Math.min(v, high) / high) * (height - top - bottom)).toFixed(1);
	const runs = [];
	values.forEach((v, k) => {
		if (v === null)
			return;
		if (k === 0 || values[k - 1] === null)
			runs.push([]);
		runs[runs.length - 1].push([(k * each).toFixed(1), ((k + 1) * each).toFixed(1), y(v)]);
	});
	const path = (run) => run.map(([a, b, v], i) => `${i ? 'L' : 'M'}${a} ${v}H${b}`).join('');
	const last = inside.length ? inside[inside.length - 1][1] : null;
	const name = `${title}: ${last === null ? 'no figures yet' : `${rate(last)} ${unit} at the end, at most ${rate(peak)}`}`;
	return h('figure', {},
		h('figcaption', {}, h('span', {}, title), h('b', {}, last === null ? '' : `${isRate ? rate(last) : count(last)} ${unit}`)),
		s('svg', { class: 'plot', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name },
			s('line', { class: 'axis', x1: 0, x2: width, y1: height - bottom, y2: height - bottom }),
			s('line', { class: 'axis', x1: 0, x2: width, y1: top, y2: top, 'stroke-dasharray': '2 4' }),
			runs.map((run) => s('path', { class: `area ${kind || ''}`, d: `${path(run)}V${height - bottom}H${run[0][0]}Z` })),
			runs.map((run) => s('path', { class: `curve ${kind || ''}`, d: path(run) })),
			s('text', { class: 'halo', x: 0, y: top + 11 }, high < 1 ? high : count(high)),
			timeTicks(from, to, width).map((t) => s('text', { x: Math.min(Math.max(x(t), 16), width - 16), y: height - 3, 'text-anchor': 'middle' }, tickText(t, from, to)))));
}

export function meter({ label, percent, width, text }) {
	const kind = percent >= 90 ? 'critical' : percent >= 75 ? 'warn' : '';
	return s('svg', { class: 'plot meter', width, height: 14, viewBox: `0 0 ${width} 14`, role: 'img', 'aria-label': `${label}: ${text || `${percent} percent`}` },
		s('rect', { class: 'track', x: 0, y: 1, width, height: 12, rx: 3 }),
		s('rect', { class: `fill ${kind}`, x: 0, y: 1, width: Math.max(percent > 0 ? 2 : 0, (Math.min(100, percent) / 100) * width), height: 12, rx: 3 }));
}
