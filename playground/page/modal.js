// Modals: a stack of views per person in a native dialog, which keeps the keyboard inside and closes on Esc.

import { h, fill, icon } from "./dom.js";
import { blocks } from "./blocks.js";
import { plainOf } from "./elements.js";
import * as acting from "./acting.js";
import * as api from "./api.js";
import { store } from "./store.js";
import { t } from "./words.js";

const stacks = new Map();   // user id -> views, the top one last
const values = new Map();   // view id -> block id -> action id -> state
let dialog;
let errors = {};
let busy = false;
let changes = 0;            // an answer to load() that was overtaken by one of these is thrown away

const stackOf = (user) => stacks.get(user) ?? [];

/** One `view` event: open, push, update or close, for one person. */
export function receive({ user, view, kind }) {
  changes += 1;
  const stack = stackOf(user);
  const at = stack.findIndex((one) => one.id === view?.id);
  if (kind === "close") stacks.set(user, view && at >= 0 ? stack.slice(0, at) : []);
  else if (kind === "update") { if (at >= 0) stack[at] = view; else stacks.set(user, [view]); }
  else if (kind === "push") { if (at < 0) stack.push(view); stacks.set(user, stack); }
  else stacks.set(user, [view]);
  if (user !== store.at.user) return;
  // A view that closed may have taken those below with it.
  if (kind === "close" && at > 0) load(user).catch(() => {});
  errors = {};
  render();
}

/** A reload keeps what is open: Slack's server knows the stack. */
export async function load(user) {
  const before = changes;
  const { views } = await api.get("views", { user });
  if (before !== changes) return;
  stacks.set(user, views);
  if (user === store.at.user) render();
}

export function clear() { stacks.clear(); values.clear(); render(); }

export function render() {
  dialog ??= build();
  const view = stackOf(store.at.user).at(-1);
  if (!view) {
    if (dialog.open) dialog.close();
    return;
  }
  const surface = {
    id: view.id, errors,
    get: (block, one) => values.get(view.id)?.[block.block_id]?.[one.action_id],
    set: (block, one, state) => put(view.id, block.block_id, one.action_id, state),
    press: (block, one, value) => acting.press({ view_id: view.id, values: stateOf(view) }, block, one, value),
  };
  fill(dialog, h("form", { class: "modal-form", onsubmit: (event) => { event.preventDefault(); submit(view); } },
    h("header", {}, h("h2", { id: "modal-title" }, plainOf(view.title)),
      h("button", { type: "button", class: "button icon-only", "aria-label": t("close"), "data-key": "modal-x", onclick: () => shut(true) }, icon("close"))),
    h("div", { class: "modal-body" }, ...blocks(view.blocks, surface)),
    h("footer", { class: "actions end" },
      h("button", { type: "button", class: "button", "data-key": "modal-close", onclick: () => shut(false) }, plainOf(view.close) || t("cancel")),
      view.submit && h("button", { class: "button primary", "data-key": "modal-submit", "aria-busy": busy ? "true" : null }, busy ? t("submitting") : plainOf(view.submit)))));
  if (dialog.open) return;
  dialog.showModal();
  (dialog.querySelector("[data-autofocus]") ?? dialog.querySelector(".modal-body :is(input, textarea, select)"))?.focus();
}

function build() {
  const node = h("dialog", {
    class: "modal", "aria-labelledby": "modal-title",
    oncancel: (event) => { event.preventDefault(); shut(false); },
    // Before the first click on a page, browsers close at Esc without asking.
    onclose: () => { if (stackOf(store.at.user).length) shut(false); },
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) node.querySelector("form").requestSubmit();
    },
  });
  document.body.append(node);
  return node;
}

function put(viewId, blockId, actionId, state) {
  if (!values.has(viewId)) values.set(viewId, {});
  const inView = values.get(viewId);
  (inView[blockId] ??= {})[actionId] = state;
}

const INITIAL = {
  static_select: ["selected_option", "initial_option", null], radio_buttons: ["selected_option", "initial_option", null],
  external_select: ["selected_option", "initial_option", null],
  checkboxes: ["selected_options", "initial_options", []], multi_static_select: ["selected_options", "initial_options", []],
  users_select: ["selected_user", "initial_user", null], channels_select: ["selected_channel", "initial_channel", null],
  conversations_select: ["selected_conversation", "initial_conversation", null],
  datepicker: ["selected_date", "initial_date", null], timepicker: ["selected_time", "initial_time", null], file_input: ["files", "-", []],
  plain_text_input: ["value", "initial_value", null], number_input: ["value", "initial_value", null],
  email_text_input: ["value", "initial_value", null], url_text_input: ["value", "initial_value", null],
};

/** `view.state.values` as Slack sends it: what was filled in, else what the element began with. */
function stateOf(view) {
  const state = {};
  for (const block of view.blocks ?? []) {
    for (const one of [block.element, block.accessory, ...(block.elements ?? [])]) {
      const start = one && INITIAL[one.type];
      if (!start) continue;
      const [field, initial, none] = start;
      (state[block.block_id] ??= {})[one.action_id] =
        values.get(view.id)?.[block.block_id]?.[one.action_id] ?? { type: one.type, [field]: one[initial] ?? none };
    }
  }
  return state;
}

async function submit(view) {
  if (busy) return;
  const missing = required(view);
  if (Object.keys(missing).length) { fail(missing); return; }
  busy = true;
  errors = {};
  render();
  const answer = await acting.submit(view.id, stateOf(view));
  busy = false;
  if (!answer) { render(); return; }
  const ack = answer.ack && typeof answer.ack === "object" ? answer.ack : {};
  if (ack.response_action === "errors") { fail(ack.errors ?? {}); return; }
  // Update and push arrive as `view` events of their own, and so may close.
  const stack = stackOf(store.at.user);
  if (ack.response_action === "clear") stacks.set(store.at.user, []);
  else if (!ack.response_action) stacks.set(store.at.user, stack.filter((one) => one.id !== view.id));
  render();
}

function fail(found) {
  errors = found;
  render();
  dialog.querySelector(".input.wrong :is(input, textarea, select)")?.focus();
  dialog.querySelector(".input.wrong [role=alert]")?.scrollIntoView({ block: "nearest" });
}

/** Slack's client checks for itself that nothing required is empty. */
function required(view) {
  const state = stateOf(view);
  const found = {};
  for (const block of view.blocks ?? []) {
    if (block.type !== "input" || block.optional) continue;
    const { type, ...value } = state[block.block_id]?.[block.element.action_id] ?? {};
    const given = Object.values(value)[0];
    if (type && (given === null || given === undefined || given === "" || given.length === 0)) found[block.block_id] = t("fillIn");
  }
  return found;
}

async function shut(all) {
  changes += 1;
  const stack = stackOf(store.at.user);
  stacks.set(store.at.user, all ? [] : stack.slice(0, -1));
  errors = {};
  render();
  if (stack.length) await acting.close(stack.at(-1).id, all);
}
