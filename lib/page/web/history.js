// The last hours, or the capture, as small drawings of one figure each.

import { h } from './dom.js';
import { span } from './format.js';
import { lineChart } from './plot.js';

const CHARTS = [
	['frames', 'Frames', 'a second'],
	['nd', 'Neighbor discovery', 'a second'],
	['mld', 'MLD', 'a second'],
	['errors', 'Too Big, Unreachable, Redirect', 'a second'],
	['critical', 'Open critical findings', '', 'critical'],
	['warn', 'Open warnings', '', 'warn'],
	['hosts', 'Hosts', ''],
	['table', 'Multicast table', '%', null, 100],
	['busy', 'Busiest worker', '%', null, 100],
	['ring', 'Fullest ring', '%', null, 100],
	['lost', 'Lost', 'a second', 'critical'],
];
const REPORT = ['frames', 'nd', 'mld', 'errors', 'critical', 'hosts'];

export function history(doc, series, range, width) {
	const report = doc.kind === 'report';
	const rows = report ? CHARTS.filter(([key]) => REPORT.includes(key)) : CHARTS;
	const columns = Math.max(1, Math.floor((width + 24) / 324)), each = (width - 24 * (columns - 1)) / columns;
	const step = series.step_s * 1000;
	return h('section', { class: 'card', 'aria-labelledby': 'history', 'data-key': 'history' },
		h('h2', { id: 'history' }, report ? 'Over the capture' : 'The last hours'),
		h('p', { class: 'soft small' }, report ? `A point for each ${span(series.step_s)}.` : `A sample each ${span(series.step_s)}, kept for six hours by the exporter. Gaps: icmpscope did not answer.`),
		series.t.length ? h('div', { class: 'charts' }, rows.map(([key, title, unit, kind, max]) => lineChart({
			title: report && key === 'critical' ? 'Open findings' : title, unit, kind, max, width: each,
			points: series.t.map((t, i) => [t, series[key][i]]), from: range.from, to: range.to, gap: report ? Infinity : step * 3, isRate: unit === 'a second',
		}))) : h('p', { class: 'empty' }, 'The first samples are on their way: two are needed.'));
}
