// Renders the `markdown` block: headings, lists, quotes, code, tables, rules and paragraphs of CommonMark and GFM.

import { h } from "./dom.js";
import { inline } from "./markdown-inline.js";

const FENCE = /^( {0,3})(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/;
const QUOTE = /^ {0,3}>\s?/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Returns a list of nodes. Raw HTML is shown as text. */
export function markdown(text = "") {
  return blocks(String(text).replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"));
}

function blocks(lines, tight = false) {
  const out = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) { at += 1; continue; }
    const taken = fence(lines, at, out) || heading(lines, at, out) || rule(lines, at, out) || quote(lines, at, out)
      || list(lines, at, out) || table(lines, at, out) || paragraph(lines, at, out, tight);
    at += taken;
  }
  return out;
}

function fence(lines, at, out) {
  const open = FENCE.exec(lines[at]);
  if (!open) return 0;
  const close = new RegExp(`^ {0,3}${open[2][0]}{${open[2].length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !close.test(lines[end])) end += 1;
  const indent = new RegExp(`^ {0,${open[1].length}}`);
  const body = lines.slice(at + 1, end).map((line) => line.replace(indent, "")).join("\n");
  const language = open[3].trim().split(/\s/)[0];
  out.push(h("pre", { "data-language": language || null }, h("code", {}, body)));
  return Math.min(end + 1, lines.length) - at;
}

function heading(lines, at, out) {
  const found = HEADING.exec(lines[at]);
  if (!found) return 0;
  // A message's headings must not mix with the page's own outline, so they begin at level 4.
  out.push(h(`h${Math.min(6, found[1].length + 3)}`, { class: `md-h md-h${found[1].length}` }, ...inline(found[2] ?? "")));
  return 1;
}

function rule(lines, at, out) {
  if (!RULE.test(lines[at])) return 0;
  out.push(h("hr"));
  return 1;
}

function quote(lines, at, out) {
  if (!QUOTE.test(lines[at])) return 0;
  let end = at;
  while (end < lines.length && (QUOTE.test(lines[end]) || (lines[end].trim() && !startsBlock(lines[end])))) end += 1;
  out.push(h("blockquote", {}, ...blocks(lines.slice(at, end).map((line) => line.replace(QUOTE, "")))));
  return end - at;
}

function list(lines, at, out) {
  const first = ITEM.exec(lines[at]);
  if (!first || first[1].length > 3) return 0;
  const ordered = /\d/.test(first[2]);
  const kind = first[2].at(-1);
  const node = h(ordered ? "ol" : "ul", ordered && parseInt(first[2], 10) !== 1 ? { start: parseInt(first[2], 10) } : {});
  let end = at;
  while (end < lines.length) {
    const item = ITEM.exec(lines[end]);
    if (!item || item[1].length > 3 || item[2].at(-1) !== kind || RULE.test(lines[end])) break;
    const next = itemEnd(lines, end, item);
    node.append(listItem(lines.slice(end, next), item));
    end = next;
    const after = skipBlank(lines, end);
    if (after < lines.length && after > end && ITEM.test(lines[after])) end = after;
  }
  out.push(node);
  return end - at;
}

const skipBlank = (lines, at) => { while (at < lines.length && !lines[at].trim()) at += 1; return at; };
const indentOf = (line) => line.length - line.trimStart().length;

function itemEnd(lines, at, item) {
  const indent = item[1].length + item[2].length + Math.min(item[3].length || 1, 4);
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end];
    if (!line.trim()) {
      const after = skipBlank(lines, end);
      // Models indent nested lists by 2 or 3 whatever the marker's width; two spaces are taken as nested.
      if (after >= lines.length || indentOf(lines[after]) < Math.min(indent, item[1].length + 2)) break;
      end = after;
      continue;
    }
    const nested = ITEM.exec(line);
    if (nested ? nested[1].length < item[1].length + 2 : indentOf(line) < Math.min(indent, 2) && startsBlock(line)) break;
    end += 1;
  }
  return end;
}

function listItem(lines, item) {
  const indent = item[1].length + item[2].length + Math.min(item[3].length || 1, 4);
  const body = [item[4], ...lines.slice(1).map((line) => line.slice(Math.min(indentOf(line), indent)))];
  const task = /^\[([ xX])\]\s+/.exec(body[0]);
  if (task) body[0] = body[0].slice(task[0].length);
  const loose = body.some((line, index) => index && !line.trim());
  const node = h("li", { class: task ? "task" : null });
  if (task) node.append(h("input", { type: "checkbox", disabled: true, checked: task[1] !== " ", "aria-label": task[1] !== " " ? "done" : "open" }));
  node.append(...blocks(body, !loose));
  return node;
}

function table(lines, at, out) {
  if (!lines[at].includes("|") || !DIVIDER.test(lines[at + 1] ?? "") || !lines[at + 1].includes("-")) return 0;
  const head = cells(lines[at]);
  const aligns = cells(lines[at + 1]).map((cell) => (/^:.*:$/.test(cell) ? "center" : cell.endsWith(":") ? "right" : null));
  if (head.length !== aligns.length) return 0;
  let end = at + 2;
  while (end < lines.length && lines[end].trim() && lines[end].includes("|")) end += 1;
  const row = (tag, values) => h("tr", {}, ...head.map((_, column) =>
    h(tag, { class: aligns[column] && `align-${aligns[column]}`, scope: tag === "th" ? "col" : null }, ...inline(values[column] ?? ""))));
  out.push(h("div", { class: "table-wrap", tabindex: "0" }, h("table", {},
    h("thead", {}, row("th", head)),
    h("tbody", {}, ...lines.slice(at + 2, end).map((line) => row("td", cells(line)))))));
  return end - at;
}

const cells = (line) => line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);
}

function paragraph(lines, at, out, tight) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !startsBlock(lines[end]) && !/^ {0,3}(=+|-+)\s*$/.test(lines[end])) end += 1;
  const body = lines.slice(at, end).map((line) => line.trimStart()).join("\n").trimEnd();
  const under = /^ {0,3}(=+|-{2,})\s*$/.exec(lines[end] ?? "");
  if (under) {
    out.push(h(under[1][0] === "=" ? "h4" : "h5", { class: `md-h md-h${under[1][0] === "=" ? 1 : 2}` }, ...inline(body)));
    return end + 1 - at;
  }
  if (tight) out.push(h("span", { class: "tight" }, ...inline(body)));
  else out.push(h("p", {}, ...inline(body)));
  return end - at;
}
