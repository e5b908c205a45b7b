// A shape for each state, so that colour is never alone: octagon with a cross, triangle, circle with i, circle with a tick.

import { s } from './dom.js';
import { word } from './format.js';

const PATHS = {
	critical: ['M5.5 1h5L15 5.5v5L10.5 15h-5L1 10.5v-5z', 'M5.4 5.4l5.2 5.2m0-5.2l-5.2 5.2'],
	warn: ['M8 1.2L15.4 14.6H.6z', 'M8 5.8v4.2m0 1.6v1'],
	info: ['M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z', 'M8 7.2v4.2m0-7v1.2'],
	ok: ['M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z', 'M4.6 8.2l2.4 2.4 4.4-4.8'],
	unknown: ['M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z', 'M4.8 8h6.4'],
};

export function icon(state) {
	const [shape, sign] = PATHS[state] || PATHS.unknown;
	return s('svg', { class: `icon ${state}`, viewBox: '0 0 16 16', 'aria-hidden': 'true', focusable: 'false' },
		s('path', { d: shape, fill: 'currentColor', 'fill-opacity': '.16', stroke: 'currentColor', 'stroke-width': '1.2', 'stroke-linejoin': 'round' }),
		s('path', { d: sign, fill: 'none', stroke: 'currentColor', 'stroke-width': '1.7', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' }));
}

export function badge(state, text, h) {
	return h('span', { class: `badge ${state}` }, icon(state), text || word[state]);
}
