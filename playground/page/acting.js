// What a person does, sent to the control API, with Slack's own words when the bot does not answer.

import * as api from "./api.js";
import { store, changed, noteLocally } from "./store.js";
import { notice } from "./dialogs.js";
import { t } from "./words.js";

const ok = (answer) => answer.status === undefined || (answer.status >= 200 && answer.status < 300);

/** Sends something that the bot has to answer at once. Returns its answer, or null after saying what went wrong. */
async function ask(path, body, what, tell = (text) => notice(text, "wrong")) {
  try {
    const answer = await api.post(path, body);
    setBot(ok(answer));
    if (ok(answer)) return answer;
    tell(t(/timeout/.test(answer.error ?? "") ? "slackTimeout" : "dispatchFailed", { what }));
  } catch (error) {
    tell(explain(error));
  }
  return null;
}

export function setBot(up) {
  if (store.botDown === !up) return;
  store.botDown = !up;
  changed();
}

export const explain = (error) => (error.status === 0 ? t("offline") : t("failed", { why: error.message }));

export async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    notice(explain(error), "wrong");
    return null;
  }
}

export const say = (message) => attempt(api.post("say", { user: store.at.user, ...message }));
export const edit = (channel, ts, text) => attempt(api.post("edit", { user: store.at.user, channel, ts, text }));
export const erase = (channel, ts) => attempt(api.post("delete", { user: store.at.user, channel, ts }));

export const command = async (channel, name, text) => {
  // What a command brings, its failure too, arrives as a note from Slack; only a refusal is told here.
  try {
    setBot(ok(await api.post("command", { user: store.at.user, channel, command: name, text })));
  } catch (error) {
    noteLocally(channel, explain(error));
  }
};

/** `place` is {channel, ts} for a message's shortcut, and nothing for a global one. */
export const shortcut = (one, place) =>
  ask("shortcut", { user: store.at.user, ...place, callback_id: one.callback_id }, one.name ?? one.callback_id);

/** `place` is {channel, ts} for a message, or {view_id, values} for a modal or App Home. */
export const press = (place, block, one, value) => ask("press", {
  user: store.at.user, ...place, action_id: one.action_id, block_id: block.block_id, value,
}, one.action_id ?? "");

export const submit = (view_id, values) => ask("submit", { user: store.at.user, view_id, values }, t("submit"));
export const close = (view_id, clear) => attempt(api.post("close", { user: store.at.user, view_id, clear }));
export const stop = (channel, thread_ts) => attempt(api.post("stop", { user: store.at.user, channel, thread_ts }));
export const openHome = () => attempt(api.post("home", { user: store.at.user }));
export const setLocale = (locale) => attempt(api.post("user", { user: store.at.user, locale }));
