// The "Misbehave" drawer: breaks the stand-ins on purpose, by the same control calls that tests use.

import * as api from "./api.js";
import { h, fill, icon } from "./dom.js";
import { explain } from "./acting.js";
import * as model from "./model.js";
import { currentLanguage, t } from "./words.js";

const SLACK = [
  ["f_rate", { method: "chat.postMessage", kind: "rate_limited", times: 1, retry_after: 3 }],
  ["f_server", { method: "chat.postMessage", kind: "server_error", times: 1 }],
  ["f_timeoutAfter", { method: "chat.postMessage", kind: "time_out_after", times: 1 }],
  ["f_drop", { method: "*", kind: "drop_before", times: 1 }],
];
const MODEL = [
  ["f_oom", { kind: "out_of_memory", times: 1 }], ["f_busy", { kind: "busy", times: 3 }], ["f_loading", { kind: "loading", seconds: 15 }],
  ["f_down", { kind: "down", seconds: 15 }], ["f_slow", { kind: "slow", seconds: 30 }], ["f_cut", { kind: "cut_stream", times: 1 }],
  ["f_form", { kind: "bad_schema", times: 1 }],
];
const EVENTS = [
  ["f_dup", { kind: "duplicate", times: 3 }], ["f_two", { kind: "two_events", times: 1 }],
  ["f_late", { kind: "late", times: 1, seconds: 5 }], ["f_socket", { kind: "drop_socket", times: 1 }],
];

let opener;
let drawn;

export function toggle(node, button) {
  opener = button;
  if (!node.hidden) { close(node); return; }
  node.hidden = false;
  button.setAttribute("aria-expanded", "true");
  draw(node);
  node.querySelector("button")?.focus();
}

function close(node) {
  node.hidden = true;
  opener?.setAttribute("aria-expanded", "false");
  opener?.focus();
}

/** Draws the drawer again when the language changed while it is open. */
export function render(node) {
  if (!node.hidden && drawn !== currentLanguage()) draw(node);
}

function draw(node) {
  drawn = currentLanguage();
  const said = h("p", { class: "said", role: "status" });
  const run = async (promise, sentence) => {
    try { await promise; said.textContent = sentence; said.classList.remove("wrong"); } catch (error) { said.textContent = explain(error); said.classList.add("wrong"); }
  };
  const group = (title, path, list) => h("section", {}, h("h3", {}, title), h("div", { class: "actions" }, ...list.map(([key, body]) =>
    h("button", { type: "button", class: "button small", "data-fault": body.kind, onclick: () => run(api.post(`faults/${path}`, body), t("faultSent", { what: t(key) })) }, t(key)))));
  fill(node,
    h("header", {}, h("h2", { id: "faults-title" }, t("misbehave")),
      h("button", { type: "button", class: "button icon-only", "aria-label": t("close"), onclick: () => close(node) }, icon("close"))),
    h("p", { class: "faint" }, t("misbehaveText")),
    group(t("slackFaults"), "slack", SLACK), group(t("modelFaults"), "model", MODEL), group(t("eventFaults"), "events", EVENTS),
    shape(run),
    h("footer", {}, h("button", { type: "button", class: "button primary", onclick: () => run(api.remove("faults"), t("ended")) }, t("endAll")), said));
  node.onkeydown = (event) => { if (event.key === "Escape") close(node); };
}

function shape(run) {
  const number = (name, label, value, min) => h("label", { class: "inline" }, label, h("input", { class: "field number", type: "number", name, value: value ?? "", min, step: "any" }));
  return h("form", { onsubmit: (event) => {
    event.preventDefault();
    const body = {};
    for (const [name, value] of new FormData(event.target)) if (value !== "") body[name] = Number(value);
    run(api.post("model", body), t("faultSent", { what: t("shape") }));
  } }, h("h3", {}, t("shape")), h("div", { class: "shape" },
    number("slots", t("slots"), model.latest?.shape?.slots ?? model.latest?.slots ?? 4, 1), number("tokens_per_second", t("speed"), model.latest?.shape?.tokens_per_second ?? "", 0),
    number("queue", t("queue"), model.latest?.shape?.queue ?? "", 0), h("button", { class: "button small" }, t("apply"))));
}
