// What each person has not seen yet, kept in this browser per person and channel.

import { store, messagesIn, isReply, isBot } from "./store.js";
import { mentionsMe } from "./mrkdwn.js";

const key = (channel) => `threadline-seen/${store.at.user}/${channel}`;

const read = (channel) => {
  try { return localStorage.getItem(key(channel)) ?? "0"; } catch { return "0"; }
};

/** How many messages of others came since the person last looked: replies count when they are meant for them. */
export function count(channel) {
  const since = read(channel.id);
  let n = 0;
  let forMe = channel.is_im;
  for (const one of messagesIn(channel.id).values()) {
    if (one.ts <= since || one.user === store.at.user) continue;
    const mine = mentionsMe(one.text);
    if (isReply(one) && !mine && !(channel.is_im && isBot(one.user))) continue;
    n += 1;
    forMe ||= mine;
  }
  return { n, forMe };
}

/** The open channel has been looked at, as long as its window is in front. */
export function seen() {
  if (document.hidden || store.at.tab === "home") return;
  let last = "0";
  for (const ts of messagesIn(store.at.channel).keys()) if (ts > last) last = ts;
  if (last <= read(store.at.channel)) return;
  try { localStorage.setItem(key(store.at.channel), last); } catch { /* private windows may refuse; nothing depends on it */ }
}
