// Renders Slack's mrkdwn. As in Slack, a mark counts only at a word's edge: `한글*강조*한글` stays as it is.

import { h, link, safeUrl } from "./dom.js";
import { emoji } from "./emoji.js";
import { store, channel, displayName, isBot, me } from "./store.js";

const MARKS = { "*": "strong", _: "em", "~": "s" };
const WORD = /[\p{L}\p{N}]/u;

export const unescape = (text) => text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: "<", gt: ">", amp: "&" })[name]);
export const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** A whole text: fences, quotes and lines. Returns a list of nodes. */
export function mrkdwn(text = "") {
  const nodes = [];
  String(text).split(/```([\s\S]+?)```/).forEach((part, index) => {
    if (index % 2) nodes.push(h("pre", {}, h("code", {}, unescape(stripTokens(part.replace(/^\n|\n$/g, ""))))));
    else nodes.push(...lines(index ? part.replace(/^\n/, "") : part));
  });
  return nodes;
}

function lines(text) {
  const nodes = [];
  let quote = null;
  const all = text.split("\n");
  for (let at = 0; at < all.length; at += 1) {
    const rest = /^(?:&gt;|>){3}\s?/.exec(all[at]);
    if (rest) {
      nodes.push(h("blockquote", {}, ...flow(all.slice(at).join("\n").slice(rest[0].length))));
      return nodes;
    }
    const quoted = /^(?:&gt;|>(?![^\s]*\|))\s?/.exec(all[at]);
    if (quoted) {
      if (!quote) nodes.push(quote = h("blockquote", {}));
      else quote.append(h("br"));
      quote.append(...inline(all[at].slice(quoted[0].length)));
      continue;
    }
    if (nodes.length && !quote) nodes.push(h("br"));
    quote = null;
    nodes.push(...inline(all[at]));
  }
  return nodes;
}

const flow = (text) => text.split("\n").flatMap((line, index) => (index ? [h("br"), ...inline(line)] : inline(line)));

/** One line. */
export function inline(text) {
  const nodes = [];
  let plainText = "";
  const flush = () => { if (plainText) nodes.push(unescape(plainText)); plainText = ""; };
  for (let at = 0; at < text.length;) {
    const found = code(text, at) ?? token(text, at) ?? mark(text, at) ?? emojiAt(text, at);
    if (found) {
      flush();
      nodes.push(found.node);
      at = found.end;
    } else {
      plainText += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

function code(text, at) {
  if (text[at] !== "`") return null;
  const end = text.indexOf("`", at + 1);
  if (end <= at + 1) return null;
  return { node: h("code", {}, unescape(stripTokens(text.slice(at + 1, end)))), end: end + 1 };
}

function token(text, at) {
  if (text[at] !== "<") return null;
  const end = text.indexOf(">", at);
  const node = end > at + 1 && entity(text.slice(at + 1, end));
  return node ? { node, end: end + 1 } : null;
}

function mark(text, at) {
  const tag = MARKS[text[at]];
  if (!tag || (at > 0 && WORD.test(before(text, at))) || !text[at + 1] || /\s/.test(text[at + 1]) || text[at + 1] === text[at]) return null;
  for (let end = text.indexOf(text[at], at + 2); end > 0; end = text.indexOf(text[at], end + 1)) {
    if (/\s/.test(text[end - 1]) || WORD.test(String.fromCodePoint(text.codePointAt(end + 1) || 32))) continue;
    return { node: h(tag, {}, ...inline(text.slice(at + 1, end))), end: end + 1 };
  }
  return null;
}

const before = (text, at) => [...text.slice(Math.max(0, at - 2), at)].pop();

function emojiAt(text, at) {
  if (text[at] !== ":") return null;
  const found = /^:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/.exec(text.slice(at, at + 60));
  return found && emoji(found[1]) !== found[0] ? { node: emoji(found[1]), end: at + found[0].length } : null;
}

/** What stands between < and >: people, channels, groups, dates, links. Null when it is none of them. */
export function entity(inner) {
  const [target, label] = split(inner);
  if (/^@[UW]/.test(target)) return mention(target.slice(1), label);
  if (/^#[CG]/.test(target)) return h("span", { class: "mention" }, `#${label || channel(target.slice(1))?.name || target.slice(1)}`);
  if (target.startsWith("!subteam^")) return h("span", { class: "mention" }, label || "@group");
  if (target.startsWith("!date^")) return h("time", {}, label || target);
  if (/^!(here|channel|everyone)$/.test(target)) return h("span", { class: "mention loud" }, `@${target.slice(1)}`);
  if (safeUrl(unescape(target))) return link(unescape(target), unescape(label || target.replace(/^mailto:/, "")));
  return null;
}

export function mention(id, label) {
  const mine = id === store.at.user ? " me" : "";
  const name = label || (isBot(id) ? store.bot.name ?? "threadline" : displayName(id));
  return h("span", { class: `mention${mine}`, title: id }, `@${unescape(name)}`);
}

function split(inner) {
  const bar = inner.indexOf("|");
  return bar < 0 ? [inner, ""] : [inner.slice(0, bar), inner.slice(bar + 1)];
}

const stripTokens = (text) => text.replace(/<([^<>\s|]+)\|?([^<>]*)>/g, (whole, target, label) => label || (/^[@#!]/.test(target) ? whole : target));

/** Text without marks, for notifications, titles and screen readers. */
export function plain(text = "") {
  return h("div", {}, ...mrkdwn(text)).textContent;
}

export const mentionsMe = (text = "") => Boolean(me()) && (text.includes(`<@${me().id}`) || /<!(here|channel|everyone)/.test(text));
