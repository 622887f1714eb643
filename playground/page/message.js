// One message: who, when, what, and what can be done with it.

import { h, icon, mark, append } from "./dom.js";
import * as acting from "./acting.js";
import { blocks } from "./blocks.js";
import { confirmed, menu } from "./dialogs.js";
import { emoji } from "./emoji.js";
import { fileList } from "./files.js";
import { mrkdwn, mentionsMe, plain } from "./mrkdwn.js";
import { openThread } from "./route.js";
import { store, changed, displayName, isBot, replyCount, seat, user } from "./store.js";
import * as time from "./time.js";
import { fromWire, toWire } from "./wire.js";
import { t } from "./words.js";

const LONG = 2400; // characters after which a person's own text is folded

export function message(one, place) {
  const bot = isBot(one.user) || Boolean(one.bot_id);
  const classes = ["message", place.follows && "follows", bot && "from-bot", one.is_ephemeral && "ephemeral", mentionsMe(one.text) && !one.is_ephemeral && "for-me",
    place.root && "root"];
  const name = one.username ?? displayName(one.user ?? store.bot.id);
  return h("li", { class: classes.filter(Boolean).join(" "), "data-ts": one.ts },
    place.newDay && h("div", { class: "day" }, h("span", {}, time.day(one.ts))),
    h("article", { class: "message-row", "aria-label": `${name}, ${time.clock(one.ts)}` },
      place.follows ? h("time", { class: "side-time faint", title: time.full(one.ts) }, time.brief(one.ts)) : avatar(one.is_local ? null : one.user, bot),
      h("div", { class: "message-main" },
        one.is_ephemeral && h("div", { class: "only-you" }, t("onlyYou"), one.is_local && h("button", { type: "button", class: "plain link", onclick: () => dismiss(one) }, t("dismiss"))),
        !place.follows && h("div", { class: "message-head" }, h("strong", {}, name), bot && h("span", { class: "badge" }, t("app")),
          h("time", { class: "faint", title: time.full(one.ts) }, time.clock(one.ts))),
        store.editing === one.ts ? editor(one, place) : body(one, place),
        !place.inThread && threadLink(one, place)),
      one.is_ephemeral || store.editing === one.ts ? null : tools(one, place, bot)));
}

export function avatar(id, bot, size = "") {
  if (bot) return h("span", { class: `avatar bot ${size}`, "aria-hidden": "true" }, mark());
  const name = user(id)?.real_name || user(id)?.name || "Slack";
  return h("span", { class: `avatar p${seat(id)} ${size}`, "aria-hidden": "true" }, initials(name));
}

/** Two letters for Latin names; for Korean ones the given name's first, as the family name says little. */
function initials(name) {
  if (/^[가-힣]{2,4}$/.test(name.replace(/\s/g, ""))) return name.replace(/\s/g, "").slice(-2);
  return name.split(/\s+/).slice(0, 2).map((part) => [...part][0] ?? "").join("").toUpperCase();
}

function body(one, place) {
  const node = h("div", { class: "message-body" });
  if (one.subtype === "tombstone") return append(node, [h("em", { class: "faint" }, t("deleted"))]);
  const surface = {
    id: `${place.inThread ? "t" : "m"}${one.ts}`,
    press: (block, element, value) => acting.press({ channel: place.channel, ts: one.ts }, block, element, value),
  };
  if (one.blocks?.length && !typed(one)) append(node, blocks(one.blocks, surface));
  else if (one.text) append(node, [text(one)]);
  for (const attachment of one.attachments ?? []) append(node, [attached(attachment, surface)]);
  if (one.edited) append(node, [h("span", { class: "faint edited", title: time.full(one.edited.ts ?? one.ts) }, t("edited"))]);
  if (streaming(one)) append(node, [h("span", { class: "caret", title: t("writing") })]);
  if (one.files?.length) append(node, [fileList(one.files)]);
  if (one.reactions?.length) append(node, [h("div", { class: "reactions" }, ...one.reactions.map((each) => h("span", { class: "reaction" }, emoji(each.name), " ", each.count ?? each.users?.length ?? 1)))]);
  return node;
}

/** What a person typed comes with a rich_text block that holds the bare text; its mrkdwn says how it looks. */
const typed = (one) => !one.bot_id && Boolean(one.text) && one.blocks.every((block) => block.type === "rich_text");

const streaming = (one) => one.streaming_state === "in_progress";

function text(one) {
  const node = h("div", { class: "text" }, ...(one.mrkdwn === false ? [one.text] : mrkdwn(one.text)));
  if (one.text.length < LONG) return node;
  const open = store.expanded?.has(one.ts);
  const button = h("button", { type: "button", class: "plain link", "data-key": `fold${one.ts}`, "aria-expanded": String(Boolean(open)), onclick: () => {
    store.expanded ??= new Set();
    if (open) store.expanded.delete(one.ts); else store.expanded.add(one.ts);
    changed();
  } }, t(open ? "showLess" : "showMore"));
  if (!open) node.classList.add("folded");
  return h("div", {}, node, button);
}

function attached(one, surface) {
  return h("div", { class: "attachment" }, one.pretext && h("div", { class: "text" }, ...mrkdwn(one.pretext)), one.title && h("strong", {}, one.title),
    one.blocks ? blocks(one.blocks, surface) : h("div", { class: "text" }, ...mrkdwn(one.text ?? one.fallback ?? "")));
}

function threadLink(one, place) {
  const count = replyCount(place.channel, one);
  if (!count) return null;
  return h("button", { type: "button", class: "thread-link", "data-key": `replies${one.ts}`, onclick: () => openThread(one.ts) },
    ...(one.reply_users ?? []).slice(0, 3).map((id) => avatar(id, isBot(id), "tiny")),
    h("span", {}, count === 1 ? t("reply") : t("replies", { n: count })),
    one.latest_reply && h("span", { class: "faint" }, t("lastReply", { when: time.clock(one.latest_reply) })));
}

function tools(one, place, bot) {
  const mine = one.user === store.at.user && !bot;
  const more = [
    ...(store.app.shortcuts ?? []).filter((each) => (each.type ?? "message") === "message")
      .map((each) => ({ label: each.name ?? each.callback_id, run: () => acting.shortcut(each, { channel: place.channel, ts: one.ts }) })),
    ...(mine ? [
      { label: t("edit"), run: () => { store.editing = one.ts; changed(); } },
      { label: t("delete"), danger: true, run: () => erase(one, place) },
    ] : []),
  ];
  const moreButton = h("button", { type: "button", class: "tool", "aria-label": t("more"), title: t("more"), "aria-haspopup": "menu", "data-key": `more${one.ts}`,
    onclick: () => menu(moreButton, more) }, icon("more"));
  return h("div", { class: "tools", role: "group" },
    !place.inThread && h("button", { type: "button", class: "tool", "aria-label": t("replyInThread"), title: t("replyInThread"), "data-key": `reply${one.ts}`,
      onclick: () => openThread(one.ts, true) }, icon("reply")),
    more.length > 0 && moreButton);
}

async function erase(one, place) {
  if (!(await confirmed({ title: t("deleteTitle"), text: plain(one.text).slice(0, 200) || t("deleteText"), confirm: t("delete"), style: "danger" }))) return;
  await acting.erase(place.channel, one.ts);
}

function editor(one, place) {
  const done = () => { store.editing = null; changed(); };
  const area = h("textarea", { class: "field", rows: "3", value: fromWire(one.text), "aria-label": t("edit"), "data-key": `edit${one.ts}`,
    onkeydown: (event) => {
      if (event.isComposing) return;
      if (event.key === "Escape") done();
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); save(); }
    } });
  const save = async () => { if (await acting.edit(place.channel, one.ts, toWire(area.value.trim()))) done(); };
  setTimeout(() => area.focus());
  return h("div", {}, area, h("div", { class: "actions" }, h("button", { type: "button", class: "button primary small", onclick: save }, t("save")),
    h("button", { type: "button", class: "button small", onclick: done }, t("cancel"))));
}

function dismiss(one) {
  store.ephemerals = store.ephemerals.filter((each) => each.message.ts !== one.ts);
  changed();
}
