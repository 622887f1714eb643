// The inline half of Markdown, with CommonMark's own rule for what may open and close emphasis.

import { h, link, safeUrl } from "./dom.js";
import { emoji } from "./emoji.js";
import { entity } from "./mrkdwn.js";

const PUNCTUATION = /[\p{P}\p{S}]/u;
const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'", nbsp: "\u00a0", "#39": "'" };

/** Turns a run of text into nodes: first into tokens, then emphasis is paired as in CommonMark section 6.2. */
export function inline(text) {
  const tokens = tokenize(text);
  pair(tokens);
  return tokens.filter((token) => !token.gone).map((token) => token.node ?? document.createTextNode(token.text));
}

function tokenize(text) {
  const tokens = [];
  const put = (value) => {
    const last = tokens.at(-1);
    if (last && last.text !== undefined && !last.mark) last.text += value; else tokens.push({ text: value });
  };
  for (let at = 0; at < text.length;) {
    const found = special(text, at);
    if (!found) { put(text[at]); at += 1; continue; }
    if (found.text !== undefined) put(found.text); else tokens.push(found.token);
    at = found.end;
  }
  return tokens;
}

function special(text, at) {
  switch (text[at]) {
    case "\\": return backslash(text, at);
    case "`": return code(text, at);
    case "&": return entityName(text, at);
    case "<": return angle(text, at);
    case "!": return text[at + 1] === "[" ? bracket(text, at + 1) : null;
    case "[": return bracket(text, at);
    case "*": case "_": case "~": return run(text, at);
    case ":": return emojiAt(text, at);
    case "\n": return { token: { node: h("br") }, end: at + 1 };
    case "h": return bareUrl(text, at);
    default: return null;
  }
}

function backslash(text, at) {
  if (text[at + 1] === "\n") return { token: { node: h("br") }, end: at + 2 };
  return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "") ? { text: text[at + 1], end: at + 2 } : null;
}

function code(text, at) {
  const ticks = /^`+/.exec(text.slice(at))[0];
  const close = new RegExp(`(?<!\`)${ticks}(?!\`)`, "g");
  close.lastIndex = at + ticks.length;
  const found = close.exec(text);
  if (!found) return { text: ticks, end: at + ticks.length };
  const body = text.slice(at + ticks.length, found.index).replace(/\n/g, " ").replace(/^ (.*\S.*) $/, "$1");
  return { token: { node: h("code", {}, body) }, end: found.index + ticks.length };
}

function entityName(text, at) {
  const found = /^&(#\d{1,7}|[a-z]+);/i.exec(text.slice(at, at + 12));
  if (!found) return null;
  const known = ENTITIES[found[1]] ?? (found[1][0] === "#" ? codePoint(Number(found[1].slice(1))) : undefined);
  return known === undefined ? null : { text: known, end: at + found[0].length };
}

const codePoint = (number) => (number > 0 && number <= 0x10ffff ? String.fromCodePoint(number) : "\ufffd");

function angle(text, at) {
  const end = text.indexOf(">", at);
  if (end < 0) return null;
  const node = entity(text.slice(at + 1, end));
  return node ? { token: { node }, end: end + 1 } : null;
}

function bracket(text, at) {
  const close = matching(text, at);
  if (close < 0 || text[close + 1] !== "(") return null;
  const target = /^\(\s*<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/.exec(text.slice(close + 1));
  if (!target) return null;
  return { token: { node: link(target[1], ...inline(text.slice(at + 1, close))) }, end: close + 1 + target[0].length };
}

function matching(text, at) {
  let depth = 0;
  for (let end = at; end < text.length; end += 1) {
    if (text[end] === "\\") end += 1;
    else if (text[end] === "[") depth += 1;
    else if (text[end] === "]" && (depth -= 1) === 0) return end;
  }
  return -1;
}

function bareUrl(text, at) {
  if (/[\w]/.test(text[at - 1] ?? "")) return null;
  const found = /^https?:\/\/[^\s<>"]*[^\s<>"'.,:;!?)\]*_~]/.exec(text.slice(at));
  return found && safeUrl(found[0]) ? { token: { node: link(found[0]) }, end: at + found[0].length } : null;
}

function emojiAt(text, at) {
  const found = /^:([a-z0-9_+-]+):/.exec(text.slice(at, at + 60));
  return found && emoji(found[1]) !== found[0] ? { text: emoji(found[1]), end: at + found[0].length } : null;
}

function run(text, at) {
  const mark = text[at];
  let end = at;
  while (text[end] === mark) end += 1;
  const before = at ? [...text.slice(Math.max(0, at - 2), at)].pop() : " ";
  const after = end < text.length ? String.fromCodePoint(text.codePointAt(end)) : " ";
  const open = !/\s/.test(after) && (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
  const close = !/\s/.test(before) && (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
  const canOpen = mark === "_" ? open && (!close || PUNCTUATION.test(before)) : open;
  const canClose = mark === "_" ? close && (!open || PUNCTUATION.test(after)) : close;
  return { token: { text: text.slice(at, end), mark, left: end - at, size: end - at, canOpen, canClose }, end };
}

function pair(tokens) {
  for (let closer = 0; closer < tokens.length; closer += 1) {
    const right = tokens[closer];
    if (!right.mark || !right.canClose) continue;
    while (right.left > 0) {
      const opener = findOpener(tokens, closer);
      if (opener < 0) break;
      closer = wrap(tokens, opener, closer);
    }
  }
}

function findOpener(tokens, closer) {
  const right = tokens[closer];
  for (let at = closer - 1; at >= 0; at -= 1) {
    const left = tokens[at];
    if (left.mark !== right.mark || !left.canOpen || left.left === 0) continue;
    if (right.mark === "~") { if (left.left === right.left && right.left <= 2) return at; continue; }
    const both = left.canClose || right.canOpen;
    if (both && (left.size + right.size) % 3 === 0 && (left.size % 3 || right.size % 3)) continue;
    return at;
  }
  return -1;
}

function wrap(tokens, opener, closer) {
  const [left, right] = [tokens[opener], tokens[closer]];
  const width = left.mark === "~" ? left.left : Math.min(left.left, right.left) >= 2 ? 2 : 1;
  const inside = tokens.slice(opener + 1, closer).filter((token) => !token.gone)
    .map((token) => token.node ?? document.createTextNode(token.text));
  const node = h(left.mark === "~" ? "s" : width === 2 ? "strong" : "em", {}, ...inside);
  for (const token of [left, right]) {
    token.left -= width;
    token.text = token.mark.repeat(token.left);
    if (!token.left) token.gone = true;
  }
  tokens.splice(opener + 1, closer - opener - 1, { node });
  return opener + 2;
}
