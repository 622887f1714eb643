// A backend as a picture: who holds its slots, whose calls come next, and what each person was served.

import { h } from "./dom.js";
import { displayName, seat, store } from "./store.js";
import { epoch } from "./time.js";
import { t } from "./words.js";

const MOST_SLOTS = 24;

/** `people` are those of this backend. */
export function share(backend, people) {
  const { running = [], next = [] } = backend;
  return h("li", { class: "share" },
    head(backend),
    slots(running, backend.limit ?? 0),
    upcoming(next, backend.waiting ?? 0),
    people.length > 0 && served(people));
}

function head({ name, limit, learned, in_flight: running = 0, trouble, failures = 0, paused_until: until }) {
  const paused = (epoch(until) ?? 0) > Date.now() / 1000;
  const wrong = [trouble?.replaceAll("_", " "), paused && t("paused"), failures > 0 && t("failures", { n: failures })].filter(Boolean);
  return h("div", { class: "share-head" }, h("strong", { class: "ellipsis" }, name ?? t("backend")),
    h("span", { class: "faint" }, t("slotsUsed", { n: running, limit })),
    learned && h("span", { class: "badge", title: t("learnedWhy") }, t("learned")),
    (trouble || paused) && h("span", { class: "badge wrong" }, wrong.join(" · ")));
}

function slots(running, limit) {
  const all = Array.from({ length: Math.max(limit, running.length) }, (_, at) => running[at]);
  const free = t("free");
  return h("div", { class: "share-slots", role: "img", "aria-label": t("slotsHeld", { names: running.map(displayName).join(", ") || free }) },
    ...all.slice(0, MOST_SLOTS).map((user) => h("span", { class: user ? `seat held p${seat(user)}` : "seat", title: user ? displayName(user) : free }, user && letters(user))),
    all.length > MOST_SLOTS && h("span", { class: "more" }, `+${all.length - MOST_SLOTS}`));
}

function upcoming(next, waiting) {
  const more = waiting - next.length;
  return h("div", { class: "upcoming" }, h("span", { class: "faint" }, t("next")),
    h("div", { class: "upcoming-calls", role: "img", "aria-label": next.length ? t("nextCalls", { names: next.map(displayName).join(", "), n: waiting }) : t("lineEmpty") },
      ...next.map((user) => h("span", { class: `call-square p${seat(user)}`, title: displayName(user) })),
      more > 0 && h("span", { class: "more" }, `+${more}`),
      !next.length && h("span", { class: "faint" }, t("lineEmpty"))));
}

function served(people) {
  // All on one axis, the counter by which turns are given: a bar begins where its person came, and the bars of those
  // who wait end level.
  const [least, most] = [Math.min(...people.map((one) => one.began_at)), Math.max(...people.map((one) => one.service))];
  const part = (length) => `${Math.max(0, (100 * length) / Math.max(1, most - least))}%`;
  // In the order of the people on the left, so that nobody jumps about.
  const place = (one) => store.users.findIndex((user) => user.id === one.user);
  return h("div", { class: "served" }, h("h3", {}, t("tokensServed")), h("p", { class: "hint" }, t("tokensServedWhy")),
    h("ul", {}, ...people.toSorted((a, b) => place(a) - place(b) || a.priority - b.priority).map((one) => h("li", { class: `p${seat(one.user)}`, "data-person": one.user },
      h("span", { class: "served-name ellipsis" }, displayName(one.user), one.weight !== 1 && h("span", { class: "faint" }, ` ×${one.weight}`)),
      h("span", { class: "served-tokens" }, one.tokens.toLocaleString()),
      h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "bar-fill", style: { "margin-left": part(one.began_at - least), width: part(one.service - one.began_at) } })),
      h("span", { class: "served-calls faint" }, t("callsOf", one))))));
}

/** So that nobody needs to tell colours apart. */
function letters(user) {
  const name = displayName(user);
  return /^[가-힣]{2,4}$/.test(name) ? name.slice(-2) : name.split(/\s+/).slice(0, 2).map((part) => [...part][0]).join("").toUpperCase();
}
