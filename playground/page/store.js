// What the page knows: people, channels, messages, notes only one person sees, and who is acting here.

import * as api from "./api.js";

export const store = {
  team: {}, bot: { id: "U0BOT", name: "threadline" }, users: [], channels: [], app: { commands: [], shortcuts: [] },
  messages: new Map(),    // channel id -> Map(ts -> message)
  loaded: new Set(),      // channels and "channel/thread" whose messages were fetched
  ephemerals: [],         // {channel, user, message}
  homes: new Map(),       // user id -> App Home view
  status: new Map(),      // "channel/thread" -> what the app says that it is doing
  working: new Set(),     // "channel/thread" of agent sessions that can be stopped
  online: true,
  at: { user: "", channel: "", thread: "", tab: "messages" },
};

const watchers = new Set();
let queued = false;
let pressed = false, held = false;

// What is under a finger stays until it is let go: a press on a button that is replaced meanwhile is no click.
addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => setTimeout(() => { pressed = false; if (held) show(); }), true);
}

export const watch = (fn) => watchers.add(fn);

/** Tells every part of the page, once per frame however many changes came. */
export function changed() {
  if (queued) return;
  queued = true;
  // A hidden tab gets no animation frames; a timer keeps unread marks and titles right there.
  if (document.hidden) setTimeout(show, 50); else requestAnimationFrame(show);
}

function show() {
  held = pressed;
  if (held) return;
  queued = false;
  for (const fn of watchers) fn();
}

export const me = () => user(store.at.user);
export const user = (id) => store.users.find((one) => one.id === id);
export const channel = (id) => store.channels.find((one) => one.id === id);
export const here = () => channel(store.at.channel);
export const isBot = (id) => id === store.bot.id || id === store.bot.user_id || id === store.bot.bot_id;
export const botId = () => store.bot.user_id ?? store.bot.id;
export const displayName = (id) => (isBot(id) ? store.bot.real_name ?? "Threadline" : user(id)?.real_name || user(id)?.name || id);

/** Which of the people's colours is somebody's (`.p0` to `.p4`); `.p5` is for those who come by the HTTP API. */
export const seat = (id) => {
  const at = store.users.findIndex((one) => one.id === id);
  return at < 0 ? 5 : at % 5;
};

/** Whether a direct message is with the bot, or between two people whom the bot cannot hear. */
export const withBot = (one) => Boolean(one?.is_im) && (!one.members || one.members.some(isBot));

/** A channel's name as people see it: a direct message is called after the other side. */
export function placeName(one) {
  if (!one?.is_im) return `#${one?.name ?? ""}`;
  return displayName(withBot(one) ? botId() : one.members.find((id) => id !== store.at.user) ?? one.user);
}

/** The channels that a person can see: public ones, and private ones and direct messages they are in. */
export function channelsOf(userId) {
  return store.channels.filter((one) => {
    if (one.is_im) return one.members ? one.members.includes(userId) : one.user === userId;
    return !one.is_private || one.members?.includes(userId);
  });
}

export function messagesIn(channelId) {
  let found = store.messages.get(channelId);
  if (!found) store.messages.set(channelId, found = new Map());
  return found;
}

const byTs = (a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0);
export const isReply = (message) => Boolean(message.thread_ts && message.thread_ts !== message.ts);

/** Messages of a channel for the acting person, with the notes only they see, oldest first. */
export function roots(channelId) {
  const shown = [...messagesIn(channelId).values()].filter((one) => !isReply(one) || one.subtype === "thread_broadcast");
  return shown.concat(notes(channelId, (one) => !isReply(one))).sort(byTs);
}

export function replies(channelId, threadTs) {
  const shown = [...messagesIn(channelId).values()].filter((one) => one.ts === threadTs || one.thread_ts === threadTs);
  return shown.concat(notes(channelId, (one) => one.thread_ts === threadTs)).sort(byTs);
}

function notes(channelId, keep) {
  return store.ephemerals
    .filter((one) => one.channel === channelId && one.user === store.at.user && keep(one.message))
    .map((one) => ({ ...one.message, is_ephemeral: true }));
}

export function replyCount(channelId, message) {
  if (!store.loaded.has(`${channelId}/${message.ts}`)) return message.reply_count ?? 0;
  let count = 0;
  for (const one of messagesIn(channelId).values()) if (one.thread_ts === message.ts && one.ts !== message.ts) count += 1;
  return count;
}

export async function loadState() {
  const state = await api.get("state");
  Object.assign(store, {
    team: state.team ?? {}, users: state.users ?? [], channels: state.channels ?? [],
    bot: { ...store.bot, ...state.bot }, app: { commands: [], shortcuts: [], ...state.app },
  });
  store.status = new Map((state.statuses ?? []).map((one) => [`${one.channel}/${one.thread_ts}`, one]));
  const running = (state.sessions ?? []).filter((one) => one.status === "processing");
  store.working = new Set(running.map((one) => `${one.channel}/${one.thread_ts}`));
  // The bot may be listed among the users; it is not somebody to play.
  store.users = store.users.filter((one) => !one.is_bot && !isBot(one.id));
  changed();
}

const heard = new Map(); // "channel/ts" -> when the stream last spoke of it

/** The stream is newer than an answer that was asked for before it spoke. */
export const hear = (channelId, ts) => heard.set(`${channelId}/${ts}`, performance.now());
const heardSince = (channelId, ts, asked) => (heard.get(`${channelId}/${ts}`) ?? -1) >= asked;

/** Brings what is known of a channel in step with an answer: `mine` says which messages the answer speaks for. */
function merge(channelId, messages, asked, mine) {
  const known = messagesIn(channelId);
  const told = new Set(messages.map((one) => one.ts));
  for (const [ts, message] of known) if (mine(message) && !told.has(ts) && !heardSince(channelId, ts, asked)) known.delete(ts);
  for (const message of messages) if (!heardSince(channelId, message.ts, asked)) known.set(message.ts, message);
}

export async function loadChannel(id) {
  const asked = performance.now();
  const { messages } = await api.get("messages", { channel: id });
  merge(id, messages, asked, (one) => !isReply(one));
  store.loaded.add(id);
  changed();
}

export async function loadThread(id, threadTs) {
  const asked = performance.now();
  const { messages } = await api.get("messages", { channel: id, thread_ts: threadTs });
  merge(id, messages, asked, (one) => one.thread_ts === threadTs && one.ts !== threadTs);
  store.loaded.add(`${id}/${threadTs}`);
  changed();
}

export async function loadEphemerals(userId) {
  const asked = performance.now();
  const { messages } = await api.get("ephemerals", { user: userId });
  const told = new Set(messages.map((one) => one.ts));
  const keep = (one) => one.user !== userId || one.local || (!told.has(one.message.ts) && heardSince(one.channel, one.message.ts, asked));
  store.ephemerals = store.ephemerals.filter(keep).concat(messages.map((one) => ({ user: userId, channel: one.channel, message: one })));
  changed();
}

/** A note from the page itself, in the manner of Slackbot, that only the acting person sees. */
export function noteLocally(channelId, text, threadTs) {
  const message = { ts: (Date.now() / 1000).toFixed(6), text, user: "USLACKBOT", username: "Slack", is_local: true, thread_ts: threadTs };
  store.ephemerals.push({ user: store.at.user, channel: channelId, message, local: true });
  changed();
}
