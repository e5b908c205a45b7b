// Where the document comes from: the exporter each two seconds, or the file itself.

const EVERY_MS = 2000, WAIT_MS = 5000, HISTORY_MS = 10000;

export function embedded() {
	const element = document.getElementById('data');
	return element ? JSON.parse(element.textContent) : null;
}

async function get(path, ms) {
	const reply = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(ms || WAIT_MS) });
	if (!reply.ok)
		throw new Error(reply.status === 404 ? 'it is not there any more' : (await reply.text()).slice(0, 200).trim() || `HTTP ${reply.status}`);
	return reply.json();
}

export const ask = (path) => get(path);

// Calls on({state, connection, exporter}) and lost(error) for ever; series grows in place.
export function follow(series, on, lost) {
	let timer = null, historyAt = 0;
	async function turn() {
		try {
			const reply = await get('api/v1/state');
			if (Date.now() - historyAt >= HISTORY_MS) {
				const since = series.t.length ? series.t[series.t.length - 1] : 0;
				const more = await get(`api/v1/history?since=${since}`);
				for (const key of Object.keys(more))
					if (Array.isArray(more[key]))
						series[key] = (series[key] || []).concat(more[key]).slice(-2160);
				series.step_s = more.step_s;
				historyAt = Date.now();
			}
			on(reply);
		} catch (error) {
			lost(error);
		}
		timer = setTimeout(turn, EVERY_MS);
	}
	document.addEventListener('visibilitychange', () => {
		if (!document.hidden) {
			clearTimeout(timer);
			turn();
		}
	});
	turn();
}
