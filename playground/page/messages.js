// A list of messages, kept in step with the store: only what changed is drawn again.

import { h, focusKey, restoreFocus } from "./dom.js";
import { message } from "./message.js";
import { store, replyCount, isReply } from "./store.js";
import * as time from "./time.js";
import { currentLanguage } from "./words.js";

const TOGETHER = 5 * 60; // seconds within which one person's messages stand under one name

/** Brings `list` (an <ol>) in step with `all`. `place` is {channel, thread}. */
export function sync(list, all, place) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const fresh = list.dataset.place !== `${place.channel}/${place.thread ?? ""}/${store.at.user}`;
  list.dataset.place = `${place.channel}/${place.thread ?? ""}/${store.at.user}`;
  const old = new Map([...list.children].map((node) => [node.dataset.ts, node]));
  let before = null;
  let cursor = list.firstChild;
  for (const one of all) {
    const newDay = !place.thread && (!before || time.dayKey(before.ts) !== time.dayKey(one.ts));
    const follows = Boolean(before) && !newDay && together(before, one);
    const signature = JSON.stringify([one, follows, newDay, replyCount(place.channel, one), store.editing === one.ts, store.expanded?.has(one.ts),
      currentLanguage(), store.at.user, store.users.length]);
    let node = old.get(one.ts);
    if (!node || node.signature !== signature) {
      const drawn = message(one, { ...place, follows, newDay, inThread: Boolean(place.thread), root: place.thread && !isReply(one) });
      drawn.signature = signature;
      if (node) {
        const key = focusKey(node);
        if (node === cursor) cursor = node.nextSibling;
        node.replaceWith(drawn);
        restoreFocus(drawn, key);
      } else if (!fresh) drawn.classList.add("arrived");
      node = drawn;
    }
    old.delete(one.ts);
    if (node === cursor) cursor = cursor.nextSibling;
    else if (node.nextSibling !== cursor || !node.parentNode) list.insertBefore(node, cursor);
    before = one;
  }
  for (const node of old.values()) node.remove();
  if (atEnd || fresh) list.scrollTop = list.scrollHeight;
}

/** Cards stand apart; only plain words are put together. */
function together(a, b) {
  if (b.bot_id && (a.blocks?.length || b.blocks?.length)) return false;
  return a.user === b.user && a.bot_id === b.bot_id && a.is_ephemeral === b.is_ephemeral && Number(b.ts) - Number(a.ts) < TOGETHER && !a.subtype;
}

export const messageList = (props) => h("ol", { class: "messages", tabindex: "0", ...props });
