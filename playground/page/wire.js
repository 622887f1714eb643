// Turns the names a person types into Slack's markup (<@U..>, <#C..|name>) and back for editing. Everything else,
// such as escaping, is Slack's part and done by the server.

import { store, botId, channel, displayName, isBot } from "./store.js";
import { unescape } from "./mrkdwn.js";

/** Everyone who can be mentioned: {id, name, label}. */
export function people() {
  const bot = { id: botId(), name: store.bot.name ?? "threadline", label: store.bot.real_name ?? "Threadline" };
  return [bot, ...store.users.map((one) => ({ id: one.id, name: one.name, label: one.real_name || one.name }))];
}

/** Code stays as it was typed; elsewhere `@name` and `#channel` become markup. */
export function toWire(text) {
  const names = people().flatMap((one) => [[one.name, one.id], [one.label, one.id]]).filter(([name]) => name)
    .sort((a, b) => b[0].length - a[0].length);
  return text.split(/(```[\s\S]*?```|`[^`\n]+`)/).map((part, index) => (index % 2 ? part : places(mentions(part, names)))).join("");
}

function mentions(text, names) {
  return text.replace(/(^|[^\p{L}\p{N}_<])@([^\s@]{1,80}(?: [^\s@]{1,40})?)/gu, (whole, before, rest) => {
    const broadcast = /^(here|channel|everyone)\b/.exec(rest);
    if (broadcast) return `${before}<!${broadcast[0]}>${rest.slice(broadcast[0].length)}`;
    const lower = rest.toLowerCase();
    // A Korean particle may follow a name at once, another Latin letter may not.
    const found = names.find(([name]) => lower.startsWith(name.toLowerCase()) && !/[a-z0-9_]/.test(lower[name.length] ?? ""));
    return found ? `${before}<@${found[1]}>${rest.slice(found[0].length)}` : whole;
  });
}

function places(text) {
  return text.replace(/(^|\s)#([\p{L}\p{N}_-]+)/gu, (whole, before, name) => {
    const found = store.channels.find((one) => !one.is_im && one.name === name);
    return found ? `${before}<#${found.id}|${name}>` : whole;
  });
}

export function fromWire(text = "") {
  return unescape(text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (whole, target, label) => {
    const id = target.slice(1);
    if (/^@[UW]/.test(target)) return `@${isBot(id) ? store.bot.name ?? "threadline" : store.users.find((one) => one.id === id)?.name ?? displayName(id)}`;
    if (/^#[CG]/.test(target)) return `#${channel(id)?.name ?? label ?? id}`;
    if (/^!(here|channel|everyone)/.test(target)) return `@${id}`;
    return /^https?:|^mailto:/.test(target) ? label || target : whole;
  }));
}
