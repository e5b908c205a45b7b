// Elements without markup: whatever the wire says becomes a text node or an attribute of a fixed name, never HTML, never a link.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {}))
		if (value !== undefined && value !== null && value !== false)
			node.setAttribute(name, value === true ? '' : String(value));
	for (const child of children.flat(Infinity))
		if (child !== undefined && child !== null && child !== false)
			node.append(child instanceof Node ? child : document.createTextNode(String(child)));
	return node;
}

export function h(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

export function s(tag, attributes, ...children) {
	return fill(document.createElementNS(SVG, tag), attributes, children);
}

function keyOf(node) {
	return node.dataset ? node.dataset.key : undefined;
}

// Makes `from` what `to` is and keeps the nodes that stay, so that focus, scrolling and what is unfolded outlive an update.
export function morph(from, to) {
	if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName || keyOf(from) !== keyOf(to)) {
		from.replaceWith(to);
		return;
	}
	if (from.nodeType !== Node.ELEMENT_NODE) {
		if (from.data !== to.data)
			from.data = to.data;
		return;
	}
	for (const { name } of [...from.attributes])
		if (!to.hasAttribute(name) && !(name === 'open' && from.nodeName === 'DETAILS'))
			from.removeAttribute(name);
	for (const { name, value } of to.attributes)
		if (from.getAttribute(name) !== value)
			from.setAttribute(name, value);
	if (from.nodeName === 'SELECT')
		return;
	const keyed = new Map();
	for (const child of from.children)
		if (keyOf(child) !== undefined)
			keyed.set(keyOf(child), child);
	let here = from.firstChild;
	for (const next of [...to.childNodes]) {
		const key = keyOf(next);
		const match = key !== undefined ? keyed.get(key) : here && keyOf(here) === undefined ? here : undefined;
		if (match === undefined) {
			from.insertBefore(next, here);
			continue;
		}
		if (match === here)
			here = here.nextSibling;
		else
			from.insertBefore(match, here);
		morph(match, next);
	}
	while (here) {
		const after = here.nextSibling;
		here.remove();
		here = after;
	}
}

// A table with a caption and scopes. columns: [{head, cell(row), num, mono, rowhead}]
export function table(caption, columns, rows, key) {
	return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption, 'data-key': key },
		h('table', {}, h('caption', {}, caption),
			h('thead', {}, h('tr', {}, columns.map((c) => h('th', { scope: 'col', class: c.num && 'num' }, c.head)))),
			h('tbody', {}, rows.map((row) => h('tr', {}, columns.map((c, i) =>
				h(i === 0 ? 'th' : 'td', { scope: i === 0 && 'row', class: [c.num && 'num', c.mono && 'mono'].filter(Boolean).join(' ') || null },
					c.cell(row))))))));
}
