// Numbers, times and words. Times are UTC, as the journal has them.

export const MS = 1e6; // nanoseconds

export function count(n) {
	return Math.round(n).toLocaleString('en-US');
}

// 1,234 a second; below ten with a digit.
export function rate(n) {
	return n > 0 && n < 10 ? n.toFixed(1) : count(n);
}

export function plural(n, one, many) {
	return `${count(n)} ${n === 1 ? one : many || `${one}s`}`;
}

export function span(seconds) {
	const v = Math.max(0, Math.round(seconds));
	if (v < 120)
		return `${v} s`;
	if (v < 7200)
		return `${Math.round(v / 60)} min`;
	if (v < 172800)
		return `${Math.round(v / 3600)} h`;
	return `${Math.round(v / 86400)} days`;
}

export function stamp(ms) {
	return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function clock(ms) {
	return new Date(ms).toISOString().slice(11, 19);
}

export function ago(ms, now) {
	return now - ms < 1500 ? 'now' : `${span((now - ms) / 1000)} ago`;
}

const ORDER = ['ok', 'info', 'warn', 'critical'];
export const worst = (a, b) => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b);
export const word = { critical: 'critical', warn: 'warning', info: 'note', ok: 'well', unknown: 'not known' };

// "router_lifetime_zero" reads better as words; the name itself stays where one looks it up.
export const words = (name) => name.replace(/_/g, ' ');
