// Makes DOM nodes. Text always becomes text nodes, so nothing a person writes can turn into markup.

const SVG = "http://www.w3.org/2000/svg";

/** h("a", {href, class, onclick}, child, ...): children are nodes, strings, arrays or nothing. */
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  assign(node, props);
  append(node, children);
  return node;
}

export function svg(tag, props, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value !== undefined && value !== null) node.setAttribute(name, String(value));
  }
  append(node, children);
  return node;
}

function assign(node, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else if (name === "checked" || name === "disabled" || name === "hidden" || name === "selected") node[name] = true;
    else if (name === "style") for (const [key, part] of Object.entries(value)) node.style.setProperty(key, part);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
}

export function append(node, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** Replaces what a node holds and keeps the keyboard where it was, by `data-key`. */
export function fill(node, ...children) {
  const key = focusKey(node);
  node.replaceChildren();
  append(node, children);
  restoreFocus(node, key);
}

export function focusKey(node) {
  const active = document.activeElement;
  return active && active !== node && node.contains(active) ? active.dataset?.key : undefined;
}

export function restoreFocus(node, key) {
  if (!key) return;
  node.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Only http, https and mailto become links. Anything else stays text. */
export function link(url, ...children) {
  const href = safeUrl(url);
  const label = children.length ? children : [url];
  if (!href) return h("span", { class: "unsafe-link" }, ...label);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

export function safeUrl(url) {
  try {
    const parsed = new URL(url);
    return ["http:", "https:", "mailto:"].includes(parsed.protocol) ? parsed.href : null;
  } catch {
    return null;
  }
}

const ICONS = {
  reply: "M4 5h12v8H9l-4 3v-3H4z",
  more: "M4 10h.01M10 10h.01M16 10h.01",
  edit: "M4 16l1-4 8-8 3 3-8 8zM12 5l3 3",
  trash: "M5 6h10M8 6V4h4v2M6 6l1 10h6l1-10",
  bolt: "M11 3L5 11h4l-1 6 6-8h-4z",
  close: "M5 5l10 10M15 5L5 15",
  clip: "M14 9l-5 5a3 3 0 01-4-4l6-6a2 2 0 013 3l-6 6a1 1 0 01-2-1l5-5",
  send: "M3 10h13M11 5l5 5-5 5",
  file: "M6 3h6l3 3v11H6zM12 3v3h3",
  lock: "M6 9h8v7H6zM8 9V7a2 2 0 014 0v2",
  down: "M10 4v9M6 10l4 4 4-4M4 17h12",
};

/** A line icon, drawn in the colour of the text around it, and hidden from screen readers. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] ?? ICONS.more }));
}

/** Threadline's mark: knots on a thread. */
export function mark() {
  return svg("svg", { viewBox: "0 0 24 24", class: "mark", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: "M7 3v18", "stroke-dasharray": "none" }),
    svg("circle", { cx: 7, cy: 7, r: 2.6 }),
    svg("circle", { cx: 7, cy: 17, r: 2.6 }),
    svg("path", { d: "M11.5 7H19M11.5 17H16" }));
}
