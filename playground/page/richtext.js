// Renders `rich_text`: sections, lists, quotes, preformatted text, and every element with its styles.

import { h, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { mention } from "./mrkdwn.js";
import { channel } from "./store.js";

const STYLES = [["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"], ["code", "code"]];

export function richText(block) {
  return nest(block.elements ?? []);
}

/** Lists that follow each other with a deeper indent hang inside the last item of the list before. */
function nest(elements) {
  const out = [];
  const open = [];
  for (const element of elements) {
    if (element.type !== "rich_text_list") {
      open.length = 0;
      out.push(part(element));
      continue;
    }
    const node = list(element);
    const depth = element.indent ?? 0;
    while (open.length && open.at(-1).depth > depth) open.pop();
    const parent = open.at(-1);
    if (parent && parent.depth < depth) (parent.node.lastElementChild ?? parent.node).append(node);
    else out.push(node);
    if (parent?.depth === depth) open.pop();
    open.push({ depth, node });
  }
  return out;
}

function part(element) {
  switch (element.type) {
    case "rich_text_section": return h("div", { class: "rt-section" }, ...inlines(element.elements));
    case "rich_text_quote": return h("blockquote", {}, ...inlines(element.elements));
    case "rich_text_preformatted": return h("pre", {}, h("code", {}, ...inlines(element.elements)));
    default: return h("span", { class: "unsafe-link" }, element.type ?? "?");
  }
}

function list(element) {
  const ordered = element.style === "ordered";
  const start = ordered && element.offset ? { start: element.offset + 1 } : {};
  return h(ordered ? "ol" : "ul", { ...start, class: element.border ? "bordered" : null },
    ...(element.elements ?? []).map((item) => h("li", {}, ...inlines(item.elements))));
}

export const inlines = (elements = []) => elements.map(styled);

function styled(element) {
  let node = leaf(element);
  for (const [name, tag] of STYLES) if (element.style?.[name]) node = h(tag, {}, node);
  return node;
}

function leaf(element) {
  switch (element.type) {
    case "text": return lines(element.text ?? "");
    case "link": return link(element.url ?? "", element.text || element.url || "");
    case "user": return mention(element.user_id);
    case "usergroup": return h("span", { class: "mention" }, "@group");
    case "broadcast": return h("span", { class: "mention loud" }, `@${element.range}`);
    case "channel": return h("span", { class: "mention" }, `#${channel(element.channel_id)?.name ?? element.channel_id}`);
    case "emoji": return h("span", {}, emoji(element.name ?? ""));
    case "date": return h("time", {}, element.fallback ?? new Date((element.timestamp ?? 0) * 1000).toLocaleString());
    case "color": return h("span", { class: "swatch" }, element.value ?? "");
    default: return h("span", {}, element.text ?? "");
  }
}

const lines = (text) => h("span", {}, ...text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line])));
