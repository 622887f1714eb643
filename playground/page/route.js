// Where this window is (person, channel, thread, tab), kept in the URL's hash so that each window has its own.

import { store, changed, channel, channelsOf, withBot, loadThread, loadEphemerals } from "./store.js";
import { loadHome } from "./live.js";
import * as acting from "./acting.js";
import * as modal from "./modal.js";
import * as unread from "./unread.js";

const named = (list, asked) => list.find((one) => one.id === asked || (one.name === asked && !one.is_im));

/** Reads the hash into store.at, mending what does not exist. A link may name people and channels: `#user=minji&at=general`. */
export function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const was = { ...store.at };
  const at = store.at;
  at.user = named(store.users, asked.get("user"))?.id ?? store.users[0]?.id ?? "";
  const visible = channelsOf(at.user);
  at.channel = (named(visible, asked.get("at")) ?? visible.find((one) => !one.is_im) ?? visible[0])?.id ?? "";
  at.thread = named(visible, asked.get("at"))?.id === at.channel ? asked.get("thread") ?? "" : "";
  at.tab = asked.get("tab") === "home" && withBot(channel(at.channel)) ? "home" : "messages";
  if (at.user && at.user !== was.user) {
    loadEphemerals(at.user).catch(() => {});
    loadHome(at.user).catch(() => {});
    modal.render();
    modal.load(at.user).catch(() => {});
  }
  if (at.thread && (at.thread !== was.thread || at.channel !== was.channel)) loadThread(at.channel, at.thread).catch(() => {});
  if (at.tab === "home" && (was.tab !== "home" || was.user !== at.user)) acting.openHome();
  store.editing = null;
  unread.seen();
  changed();
}

export function hashOf(change) {
  const next = { ...store.at, ...change };
  const fields = new URLSearchParams({ user: next.user, at: next.channel });
  if (next.thread) fields.set("thread", next.thread);
  if (next.tab === "home") fields.set("tab", "home");
  return `#${fields}`;
}

export function go(change) {
  location.hash = hashOf(change);
}

export const openThread = (ts, focus = false) => {
  go({ thread: ts, tab: "messages" });
  if (focus) setTimeout(() => document.querySelector(".thread-pane textarea")?.focus(), 60);
};
export const closeThread = () => go({ thread: "" });
