// Puts the views together, redraws them when the document changes, and says aloud what is new. A view is a name and a function that
// gives panels; the list below is the place for another one.

import { anomalies } from './anomalies.js';
import { h, morph } from './dom.js';
import { explore } from './explore.js';
import { fleetBanner, fleetIsOld, fleetPanels } from './fleet.js';
import { MS, ago, clock, plural, span, stamp, word, words } from './format.js';
import { gateways } from './gateways.js';
import { history } from './history.js';
import { looked } from './looked.js';
import { multicast } from './multicast.js';
import { segments, verdict } from './overview.js';
import { pmtu } from './pmtu.js';
import { ask, embedded, follow } from './source.js';
import { workers } from './workers.js';

const RANGES = [[900, '15 min'], [3600, '1 h'], [21600, '6 h']];
const state = {
	doc: null, connection: null, exporter: null, readMs: 0,
	series: { step_s: 10, t: [] }, range: 21600, allLanes: false,
	lostMs: 0, lostWhy: '', rates: null, before: null,
	known: null, hasFleet: false, fleet: null, fleetStart: 0, findings: null, explore: { family: '', start: 0, back: [], page: null, error: '' },
};
const report = embedded();
const app = document.getElementById('app');

function network(doc) {
	const width = content(), inside = document.documentElement.clientWidth <= 600 ? 26 : 38;
	const full = width - inside, half = document.documentElement.clientWidth >= 1080 ? (width - 16) / 2 - inside : full;
	const now = nowMs(doc), range = span_of(doc, now);
	return [
		verdict(doc, state.rates), segments(doc), anomalies(doc, now, state.findings), gateways(doc, range, full, state.allLanes),
		multicast(doc, half), pmtu(doc, half, now), doc.workers && [workers(doc), looked(doc)], history(doc, state.series, historyRange(doc, now), full),
		!doc.workers && looked(doc), doc.kind === 'live' && explore(state.explore),
	];
}

// Draws from what the exporter read of the fleet, whether or not an icmpscope answers here.
function fleet() {
	const reply = state.fleet;
	return reply && reply.fleet ? fleetPanels(reply) : !(reply && reply.connection.asked && !reply.connection.ok) && h('p', { id: 'content' }, 'Asking the servers of the fleet...');
}

const VIEWS = [
	{ id: 'network', title: 'Network', draw: network },
	{ id: 'fleet', title: 'Fleet', draw: fleet, isFleet: true },
];
const FLEET_MS = 10000, FLEET_SOON_MS = 1000;

function views() {
	return VIEWS.filter((v) => !v.isFleet || state.hasFleet);
}

// The width of a panel's frame; some are drawn before the window has one.
function content() {
	const all = Math.max(320, document.documentElement.clientWidth);
	return Math.min(all, 1680) - (all <= 600 ? 24 : 40);
}

// Time as the packets have it: a capture that is replayed is of another day.
function nowMs(doc) {
	if (doc.kind === 'report')
		return Math.max(...doc.captures.map((c) => c.last_ns)) / MS;
	return doc.info.now_ns ? doc.info.now_ns / MS : Date.now();
}

function span_of(doc, now) {
	if (doc.kind === 'report') {
		const from = Math.min(...doc.captures.filter((c) => c.frames).map((c) => c.first_ns)) / MS;
		return { from: Number.isFinite(from) ? from : now - 1000, to: Math.max(now, from + 1000) };
	}
	const first = doc.segments.first_ns ? doc.segments.first_ns / MS : now - 60000;
	return { from: Math.min(now - 1000, Math.max(now - state.range * 1000, first)), to: now };
}

// Samples carry the exporter's time, not that of packets.
function historyRange(doc, now) {
	if (doc.kind === 'report')
		return span_of(doc, now);
	const t = state.series.t, to = t.length ? t[t.length - 1] : Date.now();
	return { from: Math.min(to - 1000, Math.max(to - state.range * 1000, t.length ? t[0] - 10000 : to - 60000)), to };
}

function header(doc) {
	const info = doc && doc.info;
	const where = !doc ? '' : doc.kind === 'report' ? `report of ${doc.captures.map((c) => c.file.split('/').pop()).join(', ')}` : info.mode === 'capture' ? 'replays a capture' : info.mode === 'loop' ? 'replays a capture over and over' : 'live';
	return h('header', { class: 'top', 'data-key': 'top' },
		h('h1', {}, 'icmpscope'), h('span', { class: 'soft' }, where),
		views().length > 1 && h('nav', { 'aria-label': 'Views' }, views().map((v) => h('a', { href: `#${v.id}`, 'aria-current': v === view() ? 'page' : null }, v.title))),
		h('span', { class: 'grow' }),
		doc && doc.kind === 'live' && !view().isFleet && h('div', { class: 'row', role: 'group', 'aria-label': 'Time that is shown' },
			RANGES.map(([seconds, name]) => h('button', { type: 'button', 'data-act': 'range', 'data-value': seconds, 'aria-pressed': String(state.range === seconds) }, name))),
		view().isFleet ? state.fleet && state.fleet.read_ms > 0 && h('span', { class: 'small soft' }, `read ${clock(state.fleet.read_ms)} UTC`) :
			doc && doc.kind === 'live' && h('span', { class: 'small soft' }, `read ${clock(state.readMs)} UTC`));
}

function banner() {
	const c = state.connection;
	if (state.lostMs)
		return h('div', { class: 'banner', 'data-key': 'lost' }, h('strong', {}, `The exporter does not answer since ${stamp(state.lostMs)} (${span((Date.now() - state.lostMs) / 1000)})`),
			h('p', {}, `${state.doc ? 'What is below is as it was then. ' : ''}Is icmpscope-exporter running, and can this browser reach it? It is asked again every two seconds. (${state.lostWhy})`));
	if (view().isFleet)
		return fleetBanner(state.fleet);
	if (c && !c.ok)
		return h('div', { class: 'banner', 'data-key': 'lost' }, h('strong', {}, c.since_ms ? `icmpscope does not answer since ${stamp(c.since_ms)} (${span((Date.now() - c.since_ms) / 1000)})` : 'icmpscope does not answer'),
			h('p', {}, `${state.doc ? 'What is below is as it was then: nothing is watched now. ' : ''}${c.error}`));
	return null;
}

function view() {
	return views().find((v) => `#${v.id}` === location.hash) || VIEWS[0];
}

function draw() {
	const doc = state.doc, lost = banner();
	const old = view().isFleet && state.fleet && fleetIsOld(state.fleet);
	const main = h('main', { 'data-key': `main ${view().id}`, class: lost || old ? 'stale' : null }, lost,
		doc || view().isFleet ? view().draw(doc) : !lost && h('p', { id: 'content' }, 'Asking icmpscope...'));
	const footer = h('footer', { 'data-key': 'foot' }, doc ? `icmpscope ${doc.info.version}${doc.kind === 'live' ? `, up ${span(doc.info.uptime_s)}, started ${doc.info.started.slice(0, 19).replace('T', ' ')} UTC. ` : '. '}` : '',
		'It only listens. Times are UTC. Names and addresses are as the wire has them.');
	const next = h('div', { id: 'app' }, header(doc), main, footer);
	morph(app, next);
	const n = doc && !view().isFleet ? doc.anomalies.critical + doc.anomalies.warn : 0;
	const title = lost ? '(no answer) icmpscope' : n ? `(${n}) icmpscope` : 'icmpscope';
	if (document.title !== title && !report)
		document.title = title;
}

function say(id, text) {
	document.getElementById(id).textContent = text;
}

// New findings are told once, the first document only in numbers.
function announce(doc, back) {
	const open = new Map(doc.anomalies.list.map((a) => [a.id, a]));
	if (state.known) {
		const fresh = [...open.values()].filter((a) => !state.known.has(a.id));
		const text = fresh.slice(0, 3).map((a) => `New ${word[a.severity]}: ${words(a.name)} on ${a.where}.`).join(' ') + (fresh.length > 3 ? ` And ${fresh.length - 3} more.` : '');
		if (fresh.length)
			say(fresh.some((a) => a.severity === 'critical') ? 'assertive' : 'polite', text);
	} else {
		say('polite', `${back ? 'The connection is back. ' : ''}${doc.anomalies.open ? plural(doc.anomalies.open, 'open finding') : 'No open finding'}.`);
	}
	state.known = state.known || new Set();
	for (const id of open.keys())
		state.known.add(id);
}

function onReply(reply) {
	const doc = reply.state;
	const back = Boolean(state.lostMs || (state.connection && !state.connection.ok && reply.connection.ok));
	if (back)
		say('polite', 'The connection is back.');
	if (!reply.connection.ok && (!state.connection || state.connection.ok))
		say('assertive', 'icmpscope does not answer.');
	state.lostMs = 0;
	if (reply.fleet !== state.hasFleet) {
		state.hasFleet = reply.fleet;
		turnFleet();
	}
	state.connection = reply.connection;
	if (doc) {
		state.readMs = reply.read_ms;
		if (state.before && state.before.started === doc.info.started && reply.read_ms > state.before.at) {
			const seconds = (reply.read_ms - state.before.at) / 1000;
			state.rates = { frames: Math.max(0, doc.info.frames - state.before.frames) / seconds, control: Math.max(0, doc.info.control - state.before.control) / seconds };
		}
		if (!state.before || reply.read_ms > state.before.at)
			state.before = { at: reply.read_ms, started: doc.info.started, frames: doc.info.frames, control: doc.info.control };
		if (state.doc && state.doc.info.started !== doc.info.started)
			state.known = null;
		state.doc = doc;
		announce(doc, back);
	}
	draw();
}

function onLost(error) {
	if (!state.lostMs) {
		state.lostMs = Date.now();
		say('assertive', 'The exporter does not answer.');
	}
	state.lostWhy = error.name === 'TimeoutError' ? 'no answer within 5 seconds' : error.message;
	draw();
}

// While it is looked at: soon again when what came is of before.
let fleetTimer = null;
async function turnFleet() {
	let wait = FLEET_MS;
	clearTimeout(fleetTimer);
	if (!view().isFleet || document.hidden)
		return;
	try {
		const before = state.fleet, reply = await ask(`api/v1/fleet?start=${state.fleetStart}&count=50`);
		state.fleet = reply;
		if (reply.connection.asked && !reply.connection.ok && (!before || !before.connection.asked || before.connection.ok))
			say('assertive', 'The fleet cannot be read.');
		if (fleetIsOld(reply))
			wait = FLEET_SOON_MS;
	} catch (error) {
		// That the exporter does not answer is told by who asks for the state.
		wait = FLEET_SOON_MS;
	}
	draw();
	clearTimeout(fleetTimer);
	fleetTimer = setTimeout(turnFleet, wait);
}

function pageFleet(by) {
	state.fleetStart = Math.max(0, state.fleetStart + by);
	turnFleet();
}

async function turnFindings(by) {
	const start = Math.max(0, (state.findings ? state.findings.start : 0) + by);
	try {
		state.findings = start === 0 ? null : { start, list: (await ask(`api/v1/anomalies?start=${start}&count=50`)).list.filter((a) => a.state === 'open') };
	} catch (error) {
		state.findings = null;
	}
	draw();
	document.getElementById('anomalies').scrollIntoView();
}

async function turnRows(family, start, back) {
	const e = { family, start, back, page: null, error: '' };
	try {
		if (family)
			e.page = await ask(`api/v1/table/${family}?start=${start}&count=50`);
	} catch (error) {
		e.error = `The table could not be read: ${error.message}`;
	}
	state.explore = e;
	draw();
}

const ACTS = {
	range: (b) => { state.range = Number(b.dataset.value); },
	'all-lanes': () => { state.allLanes = true; },
	'findings-on': () => turnFindings(50),
	'findings-back': () => turnFindings(-50),
	'fleet-on': () => pageFleet(50),
	'fleet-back': () => pageFleet(-50),
	'rows-on': () => turnRows(state.explore.family, state.explore.page.next, [...state.explore.back, state.explore.start]),
	'rows-back': () => turnRows(state.explore.family, state.explore.back[state.explore.back.length - 1] || 0, state.explore.back.slice(0, -1)),
};
app.addEventListener('click', (event) => {
	const button = event.target.closest('button[data-act]');
	if (button && ACTS[button.dataset.act]) {
		ACTS[button.dataset.act](button);
		draw();
	}
});
app.addEventListener('change', (event) => {
	if (event.target.dataset.act === 'family')
		turnRows(event.target.value, 0, []);
});
addEventListener('hashchange', () => {
	turnFleet();
	draw();
});
document.addEventListener('visibilitychange', turnFleet);
let drawnWidth = 0;
new ResizeObserver(() => {
	const width = document.documentElement.clientWidth;
	if (width !== drawnWidth) {
		drawnWidth = width;
		requestAnimationFrame(draw);
	}
}).observe(document.documentElement);

if (report) {
	state.doc = report;
	state.series = report.series;
	draw();
} else {
	draw();
	follow(state.series, onReply, onLost);
	setInterval(() => (state.lostMs || (state.connection && !state.connection.ok)) && draw(), 1000);
}
