// What was looked at and what was not, so that silence can be read.

import { h, table } from './dom.js';
import { MS, count, plural, stamp, words } from './format.js';

const STATES = { on: 'looks', muted: 'muted', not_assessed: 'not assessed: the tap does not show what it needs' };

export function looked(doc) {
	const list = doc.detectors.list, blind = list.filter((d) => d.state === 'not_assessed'), muted = list.filter((d) => d.state === 'muted');
	const classes = Object.entries(doc.classes).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
	return h('section', { class: doc.kind === 'live' ? 'card half' : 'card', 'aria-labelledby': 'looked', 'data-key': 'looked' },
		h('h2', { id: 'looked' }, 'What was looked at'),
		h('p', { class: 'soft small' }, `${count(list.length)} detectors: ${count(list.length - blind.length - muted.length)} look, ${count(blind.length)} not assessed, ${count(muted.length)} muted.`),
		doc.captures && table('Captures', [
			{ head: 'File', mono: true, cell: (c) => c.file },
			{ head: 'Frames', num: true, cell: (c) => count(c.frames) },
			{ head: 'Cut short', num: true, cell: (c) => count(c.snapped) },
			{ head: 'From', cell: (c) => (c.frames ? stamp(c.first_ns / MS) : '') },
			{ head: 'To', cell: (c) => (c.frames ? stamp(c.last_ns / MS) : '') },
			{ head: 'Damage', cell: (c) => c.damage || 'none' },
		], doc.captures, 'captures'),
		blind.length > 0 && h('div', { 'data-key': 'blind' }, h('p', {}, h('b', {}, 'Not assessed'), ': of these nothing can be said, neither good nor bad. ', blind.map((d) => words(d.name)).join(', '), '.')),
		muted.length > 0 && h('div', { 'data-key': 'muted' }, h('p', {}, h('b', {}, 'Muted'), ' by the settings: ', muted.map((d) => words(d.name)).join(', '), '.')),
		doc.rules && doc.rules.length > 0 && h('details', { 'data-key': 'rules' }, h('summary', {}, `${plural(doc.rules.length, 'rule')} of the RFCs that messages broke`),
			table('Rules that messages broke', [
				{ head: 'Rule', cell: (r) => words(r.name) }, { head: 'Messages', num: true, cell: (r) => count(r.count) },
				{ head: 'Condition', cell: (r) => r.condition }, { head: 'Receivers', cell: (r) => r.receiver }, { head: 'RFC', cell: (r) => r.rfc },
			], doc.rules)),
		h('details', { 'data-key': 'detectors' }, h('summary', {}, 'All detectors'),
			table('Detectors', [
				{ head: 'Detector', cell: (d) => words(d.name) }, { head: 'State', cell: (d) => STATES[d.state] || d.state },
				{ head: 'Found', num: true, cell: (d) => count(d.fired) }, { head: 'Told by another', num: true, cell: (d) => count(d.suppressed) }, { head: 'RFC', cell: (d) => d.rfc },
			], list)),
		classes.length > 0 && h('details', { 'data-key': 'classes' }, h('summary', {}, 'Frames by class'),
			table('Every frame is in one class', [{ head: 'Class', cell: ([k]) => words(k) }, { head: 'Frames', num: true, cell: ([, n]) => count(n) }], classes)));
}
