// "The line": Threadline's requests and backends, read from its own database by the playground.

import * as api from "./api.js";
import { h, fill } from "./dom.js";
import { share } from "./share.js";
import { displayName, seat } from "./store.js";
import { duration, epoch } from "./time.js";
import { stateWord, t } from "./words.js";

const ACTIVE = new Set(["received", "preparing", "waiting", "running", "answered"]);
const SHOWN = 16;

export async function refresh(node) {
  try {
    draw(node, await api.get("line"));
  } catch (error) {
    fill(node, h("p", { class: "faint" }, error.status === 0 ? t("offline") : error.message || t("lineUnread")));
  }
}

function draw(node, { jobs = [], backends = [], people = [], detail, error, configured }) {
  if (configured === false) { fill(node, h("p", { class: "faint" }, t("lineOff"))); return; }
  if (error) { fill(node, h("p", { class: "faint" }, detail || t("lineUnread"))); return; }
  // Those who are served come first, then the others as their turn will come.
  const active = jobs.filter((one) => ACTIVE.has(stateOf(one))).sort((a, b) => rank(a) - rank(b) || order(a, b) || since(a) - since(b));
  const done = jobs.filter((one) => !ACTIVE.has(stateOf(one)));
  fill(node,
    backends.length > 0 && h("ul", { class: "backends" }, ...backends.map((one) => share(one, people.filter((each) => each.backend === one.name)))),
    active.length > 0 && h("h3", {}, t("jobs")),
    active.length ? h("ol", { class: "jobs" }, ...active.slice(0, SHOWN).map(job)) : !backends.length && h("p", { class: "faint" }, t("lineEmpty")),
    active.length > SHOWN && h("p", { class: "faint" }, `+ ${active.length - SHOWN}`),
    done.length > 0 && h("h3", {}, t("finished")),
    done.length > 0 && h("ol", { class: "jobs done" }, ...done.slice(0, 8).map(job)));
}

const rank = (one) => ["answered", "running"].includes(stateOf(one)) ? 0 : 1;
const order = (a, b) => (a.ahead ?? 1e6) - (b.ahead ?? 1e6);
const since = (one) => epoch(one.created_at) ?? 0;
const stateOf = (one) => String(one.state ?? one.status ?? t("unknownState")).toLowerCase();
const personOf = (one) => (one.user ? displayName(String(one.user)) : "");

function job(one) {
  const state = stateOf(one);
  const until = epoch(one.ended_at) ?? Date.now() / 1000;
  const total = Number(one.steps_total ?? 0);
  const part = total ? Number(one.steps_done ?? 0) / total : undefined;
  const running = state === "running" && part !== undefined;
  return h("li", { class: `job state-${state}` },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("div", { class: "grow" },
      h("div", { class: "job-line" }, h("strong", { class: "ellipsis" }, one.recipe ?? t("jobs")), h("span", { class: `faint ellipsis p${seat(one.user)}` }, h("span", { class: "who", "aria-hidden": "true" }), personOf(one)),
        h("span", { class: "job-time faint" }, since(one) ? duration(until - since(one)) : "")),
      h("div", { class: "job-line small" }, h("span", { class: "job-state" }, stateWord(state)),
        state === "waiting" && Number.isInteger(one.ahead) && h("span", { class: "job-place" }, standing(one)),
        one.cause && h("span", { class: "faint ellipsis" }, one.cause),
        total > 1 && h("span", { class: "faint" }, `${one.steps_done ?? 0}/${total}`)),
      running && h("progress", { max: "1", value: String(part), "aria-label": state })));
}

/** "3 ahead · 30 s to 2 min left", as the request's card says it. */
function standing({ ahead, left_from: from, left_to: to }) {
  const left = Number.isInteger(to) ? t(from ? "leftBetween" : "leftUpTo", { from: span(from ?? 0), to: span(to) }) : from ? t("leftMore", { from: span(from) }) : "";
  return [ahead ? t("ahead", { n: ahead }) : t("nextOne"), left].filter(Boolean).join(" · ");
}

const span = (seconds) => (seconds < 60 ? t("seconds", { n: seconds }) : t("minutes", { n: Math.round(seconds / 60) }));
