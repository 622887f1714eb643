// Applies the server's events to the store, and fetches again what may have been missed while offline.

import * as api from "./api.js";
import { store, changed, hear, messagesIn, isReply, loadState, loadChannel, loadThread, loadEphemerals } from "./store.js";
import * as modal from "./modal.js";
import { setBot } from "./acting.js";
import { announce } from "./announce.js";

const threads = new Map();

/** A thread that the server no longer knows, after a reset, is closed. */
const forget = (error) => { if (error.status === 404) store.at.thread = ""; };

export function start() {
  api.listen({
    on: (name, data) => apply(name, data),
    onOpen: () => { setOnline(true); refresh(); },
    onLost: () => setOnline(false),
  });
}

function setOnline(online) {
  if (store.online === online) return;
  store.online = online;
  changed();
}

let refreshing;

/** Fetches everything in view once more. Runs at each (re)connection; a second call joins the first. */
export function refresh() {
  refreshing ??= (async () => {
    try {
      await loadState();
      const { user, channel, thread } = store.at;
      await Promise.all([
        ...store.channels.map((one) => loadChannel(one.id)),
        channel && thread && loadThread(channel, thread).catch(forget),
        user && loadEphemerals(user),
        user && loadHome(user),
        user && modal.load(user),
      ].filter(Boolean).map((one) => one.catch(() => {})));
    } catch {
      // The stream's own reconnection calls here again.
    } finally {
      refreshing = undefined;
    }
  })();
  return refreshing;
}

export async function loadHome(user) {
  const { view } = await api.get("home", { user });
  if (view) store.homes.set(user, view);
  changed();
}

const APPLY = {
  message({ channel, message }) {
    messagesIn(channel).set(message.ts, message);
    if (isReply(message)) touchThread(channel, message.thread_ts);
    if (message.bot_id) setBot(true);
    announce(channel, message);
  },
  message_changed({ channel, message }) {
    messagesIn(channel).set(message.ts, message);
  },
  message_deleted(data) {
    const gone = messagesIn(data.channel).get(data.ts);
    messagesIn(data.channel).delete(data.ts);
    if (gone && isReply(gone)) touchThread(data.channel, gone.thread_ts);
  },
  ephemeral({ user, channel, message }) {
    dropEphemeral(message.ts);
    store.ephemerals.push({ user, channel, message });
    if (user === store.at.user) announce(channel, message);
  },
  ephemeral_deleted(data) { dropEphemeral(data.ts); },
  view(data) { modal.receive(data); },
  home({ user, view }) { store.homes.set(user, view); },
  status(data) {
    const key = `${data.channel}/${data.thread_ts ?? ""}`;
    if (data.status) store.status.set(key, data); else store.status.delete(key);
  },
  session(data) {
    const key = `${data.channel}/${data.thread_ts ?? ""}`;
    if (data.status === "processing") store.working.add(key); else store.working.delete(key);
  },
  channel() { loadState().then(() => store.channels.forEach((one) => store.loaded.has(one.id) || loadChannel(one.id))); },
  user() { loadState(); },
  reset() {
    store.messages.clear(); store.loaded.clear(); store.ephemerals = []; store.homes.clear(); store.status.clear(); store.working.clear();
    store.at.thread = "";
    modal.clear();
    refresh();
  },
};

function apply(name, data) {
  if (data.channel && (data.message?.ts ?? data.ts)) hear(data.channel, data.message?.ts ?? data.ts);
  APPLY[name]?.(data);
  changed();
}

const dropEphemeral = (ts) => { store.ephemerals = store.ephemerals.filter((one) => one.message.ts !== ts); };

/** A thread's replies are counted from a fetched thread, so that the count is right whatever order events come in. */
function touchThread(channel, threadTs) {
  const key = `${channel}/${threadTs}`;
  if (store.loaded.has(key)) return;
  clearTimeout(threads.get(key));
  threads.set(key, setTimeout(() => loadThread(channel, threadTs).catch(() => {}), 80));
}
