// Starts the page: draws its parts whenever the store changes, and follows the URL's hash.

import { h, fill, icon, mark } from "./dom.js";
import * as acting from "./acting.js";
import { composer } from "./composer.js";
import * as faults from "./faults.js";
import * as flood from "./flood.js";
import * as home from "./home.js";
import * as line from "./line.js";
import * as live from "./live.js";
import { sync, messageList } from "./messages.js";
import * as model from "./model.js";
import { poll } from "./poll.js";
import { closeThread, go, read } from "./route.js";
import * as sidebar from "./sidebar.js";
import { store, watch, changed, here, me, roots, replies, displayName, loadState, placeName, withBot } from "./store.js";
import { nameOf } from "./complete.js";
import * as unread from "./unread.js";
import { currentLanguage, t, useLocale } from "./words.js";

const $ = (id) => document.getElementById(id);

const list = messageList({ id: "messages", role: "log" });
const threadList = messageList({ id: "thread-messages", role: "log" });
const main = composer(() => ({ channel: store.at.channel, thread: "" }));
const reply = composer(() => ({ channel: store.at.channel, thread: store.at.thread }));
const empty = h("div", { class: "empty", hidden: true });
const homePane = h("div", { class: "home", hidden: true });
let labelled = "";
let look = () => {};

function build() {
  $("channel").append(h("header", { class: "bar", id: "channel-bar" }), empty, list, homePane, main.node);
  $("thread").append(h("header", { class: "bar", id: "thread-bar" }), threadList, h("div", { class: "status", id: "thread-status", role: "status", hidden: true }), reply.node);
  $("live").append(
    h("section", { class: "panel", "aria-labelledby": "line-title" }, h("h2", { id: "line-title" }), h("div", { id: "flood" }), h("div", { id: "line" })),
    h("section", { class: "panel", "aria-labelledby": "model-title" }, h("h2", { id: "model-title" }), h("div", { id: "model" })));
  $("skip").addEventListener("click", () => list.focus());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && store.at.thread && $("thread").contains(event.target) && !store.editing) closeThread();
  });
}

function render() {
  useLocale(me()?.locale);
  unread.seen();
  label();
  sidebar.render($("side"));
  drawBanner();
  drawChannel();
  drawThread();
  faults.render($("faults"));
}

/** What changes only with the language, and when the people become known. */
function label() {
  const words = `${currentLanguage()} ${store.users.length}`;
  if (labelled === words) return;
  labelled = words;
  $("skip").textContent = t("skip");
  $("line-title").textContent = t("line");
  $("model-title").textContent = t("model");
  list.setAttribute("aria-label", t("messages"));
  threadList.setAttribute("aria-label", t("threadTitle"));
  $("side").setAttribute("aria-label", t("channels"));
  $("thread").setAttribute("aria-label", t("threadTitle"));
  $("live").setAttribute("aria-label", t("line"));
  flood.render($("flood"));
  look();
}

function drawBanner() {
  const words = store.online ? store.botDown ? t("botOffline") : "" : t("offline");
  $("banner").hidden = !words;
  if ($("banner").textContent !== words) $("banner").textContent = words;
}

function drawChannel() {
  const one = here();
  if (!one) return;
  const atHome = withBot(one) && store.at.tab === "home";
  const name = placeName(one);
  document.title = `${name} · ${me()?.real_name ?? ""} · ${t("title")}`;
  const tab = (id, words) => h("button", { type: "button", class: "tab", "aria-current": store.at.tab === id ? "page" : null, "data-key": `tab-${id}`, onclick: () => go({ tab: id, thread: "" }) }, words);
  const misbehave = h("button", { type: "button", class: "button small", id: "misbehave", "data-key": "misbehave", "aria-expanded": String(!$("faults").hidden), "aria-controls": "faults",
    onclick: () => faults.toggle($("faults"), $("misbehave")) }, icon("bolt"), t("misbehave"));
  fill($("channel-bar"), h("h1", { class: "ellipsis" }, withBot(one) && mark(), name),
    withBot(one) && h("nav", { class: "tabs", "aria-label": name }, tab("messages", t("messages")), tab("home", t("home"))),
    h("span", { class: "grow" }), misbehave);
  homePane.hidden = !atHome;
  main.node.hidden = atHome;
  if (atHome) { list.hidden = true; empty.hidden = true; home.render(homePane); return; }
  const all = roots(one.id);
  list.hidden = !all.length;
  empty.hidden = all.length > 0;
  if (!all.length) drawEmpty(one);
  sync(list, all, { channel: one.id });
  main.refresh();
}

function drawEmpty(one) {
  const command = store.app.commands?.[0] ? nameOf(store.app.commands[0]) : "/analyze";
  fill(empty, mark(), h("p", {}, h("strong", {}, t("emptyChannel"))),
    h("p", {}, withBot(one) ? t("emptyDm") : t("emptyHint", { command, bot: store.bot.name ?? "threadline" })));
}

function drawThread() {
  const open = Boolean(store.at.thread) && store.at.tab !== "home";
  $("thread").hidden = !open;
  $("right").classList.toggle("with-thread", open);
  if (!open) { threadList.replaceChildren(); return; }
  const one = here();
  fill($("thread-bar"), h("h2", { class: "ellipsis" }, t("threadTitle")),
    h("span", { class: "faint ellipsis grow" }, placeName(one)),
    h("button", { type: "button", class: "button icon-only", "aria-label": t("closeThread"), title: t("closeThread"), "data-key": "close-thread", onclick: () => { closeThread(); main.focus(); } }, icon("close")));
  sync(threadList, replies(store.at.channel, store.at.thread), { channel: store.at.channel, thread: store.at.thread });
  const status = store.status.get(`${store.at.channel}/${store.at.thread}`)?.status;
  const working = store.working.has(`${store.at.channel}/${store.at.thread}`);
  $("thread-status").hidden = !status && !working;
  fill($("thread-status"), h("span", { class: "grow" }, status || working ? t("thinking", { name: displayName(store.bot.id), status: status || t("working") }) : ""),
    working && h("button", { type: "button", class: "button small danger", "data-key": "stop", onclick: () => acting.stop(store.at.channel, store.at.thread) }, t("stop")));
  reply.refresh();
}

async function start() {
  build();
  watch(render);
  addEventListener("hashchange", read);
  document.addEventListener("visibilitychange", changed);
  await loadState().catch(() => { store.online = false; });
  read();
  // Cheap while nothing happens, and fast enough to see a queue move.
  look = poll(1, () => $("live").checkVisibility?.() ?? true, () => Promise.all([line.refresh($("line")), model.refresh($("model"))]));
  live.start();
  // The first answer of the server may come after the first reading of the hash.
  watch(() => { if (!store.at.user && store.users.length) read(); });
  // Once it is drawn: each place brings its own draft, and takes away what was written before it came.
  watch(() => { document.documentElement.dataset.ready = "true"; });
}

start();
