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

// points: [[ms, value]] in order; gaps longer than gap ms stay open.
export function lineChart({ title, unit, points, from, to, width, kind, max, gap }) {
	const height = 74, left = 0, bottom = 16, top = 6;
	const inside = points.filter(([t, v]) => t >= from && t <= to && Number.isFinite(v));
	const peak = inside.reduce((m, [, v]) => Math.max(m, v), 0);
	const high = max || ceiling(peak);
	const x = (t) => left + ((t - from) / Math.max(1, to - from)) * (width - left);
	const y = (v) => top + (1 - Math.min(v, high) / high) * (height - top - bottom);
	const runs = [];
	inside.forEach(([t, v], i) => {
		if (i === 0 || t - inside[i - 1][0] > gap)
			runs.push([]);
		runs[runs.length - 1].push([x(t), y(v)]);
	});
	const path = (run) => run.map(([px, py], i) => `${i ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`).join('');
	const last = inside.length ? inside[inside.length - 1][1] : null;
	const name = `${title}: ${last === null ? 'no figures yet' : `${rate(last)} ${unit} now, at most ${rate(peak)}`}`;
	return h('figure', {},
		h('figcaption', {}, h('span', {}, title), h('b', {}, last === null ? '' : `${rate(last)} ${unit}`)),
		s('svg', { class: 'plot', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name },
			s('line', { class: 'axis', x1: 0, x2: width, y1: height - bottom, y2: height - bottom }),
			s('line', { class: 'axis', x1: 0, x2: width, y1: top, y2: top, 'stroke-dasharray': '2 4' }),
			runs.map((run) => s('path', { class: `area ${kind || ''}`, d: `${path(run)}L${run[run.length - 1][0].toFixed(1)} ${height - bottom}L${run[0][0].toFixed(1)} ${height - bottom}Z` })),
			runs.map((run) => s('path', { class: `curve ${kind || ''}`, d: run.length > 1 ? path(run) : `${path(run)}h2` })),
			s('text', { x: width, y: top + 11, 'text-anchor': 'end' }, count(high)),
			timeTicks(from, to, width).map((t) => s('text', { x: Math.min(Math.max(x(t), 16), width - 16), y: height - 3, 'text-anchor': 'middle' }, tickText(t, from, to)))));
}

export function meter({ label, percent, width, text }) {
	const kind = percent >= 90 ? 'critical' : percent >= 75 ? 'warn' : '';
	return s('svg', { class: 'plot meter', width, height: 14, viewBox: `0 0 ${width} 14`, role: 'img', 'aria-label': `${label}: ${text || `${percent} percent`}` },
		s('rect', { class: 'track', x: 0, y: 1, width, height: 12, rx: 3 }),
		s('rect', { class: `fill ${kind}`, x: 0, y: 1, width: Math.max(percent > 0 ? 2 : 0, (Math.min(100, percent) / 100) * width), height: 12, rx: 3 }));
}
