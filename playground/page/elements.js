// Renders what can be pressed, chosen or filled in inside a block, and reports it to the surface.

import { h, icon, safeUrl } from "./dom.js";
import { emoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { store, channelsOf } from "./store.js";
import { confirmed, menu } from "./dialogs.js";
import { picture, fileInput } from "./files.js";
import { t } from "./words.js";

/** Plain text objects know emoji names and nothing else. */
export function plainOf(object) {
  const text = typeof object === "string" ? object : object?.text ?? "";
  return object?.emoji === false ? text : text.replace(/:([a-z0-9_+-]+):/g, (_, name) => emoji(name));
}

export function element(one, block, surface) {
  const make = ELEMENTS[one?.type];
  return make ? make(one, block, surface) : h("span", { class: "unknown" }, t("unknownBlock", { type: String(one?.type) }));
}

const key = (one, block, surface) => `${surface.id}/${block.block_id ?? ""}/${one.action_id ?? ""}`;

function common(one, block, surface) {
  return {
    id: surface.inputId, "data-key": key(one, block, surface), "data-action": one.action_id,
    "aria-describedby": surface.error, "aria-invalid": surface.error ? "true" : null,
    "aria-required": surface.required ? "true" : null,
  };
}

/** Stores the state a view keeps, and sends an action where Slack would: everywhere but in a plain input block. */
function act(one, block, surface, state, value) {
  surface.set?.(block, one, { type: one.type, ...state });
  if (block.type === "input" && !block.dispatch_action) return Promise.resolve();
  return surface.press(block, one, value);
}

const stored = (one, block, surface) => surface.get?.(block, one);

async function pressButton(button, one, block, surface, value) {
  if (one.confirm && !(await confirmed(one.confirm))) return;
  button.setAttribute("aria-busy", "true");
  try {
    await surface.press(block, one, value);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function button(one, block, surface) {
  const style = one.style ? ` ${one.style}` : "";
  const node = h("button", {
    type: "button", class: `button${style}`, ...common(one, block, surface), "aria-label": one.accessibility_label,
    onclick: () => {
      if (safeUrl(one.url)) window.open(safeUrl(one.url), "_blank", "noopener,noreferrer");
      return pressButton(node, one, block, surface, one.value);
    },
  }, plainOf(one.text));
  return node;
}

function options(one) {
  return (one.option_groups ?? []).flatMap((group) => group.options ?? []).concat(one.options ?? []);
}

function nativeSelect(one, block, surface, all, state, initial) {
  const placeholder = plainOf(one.placeholder) || t("choose");
  const choice = (option, at) => h("option", { value: String(at), selected: option.value === initial }, plainOf(option.text));
  const grouped = one.option_groups?.map((group) => h("optgroup", { label: plainOf(group.label) },
    ...group.options.map((option) => choice(option, all.indexOf(option)))));
  const node = h("select", {
    class: "select", ...common(one, block, surface), "aria-label": surface.inputId ? null : placeholder,
    onchange: async () => {
      const option = all[Number(node.value)];
      if (!option) return;
      if (one.confirm && !(await confirmed(one.confirm))) { node.value = ""; return; }
      await act(one, block, surface, state(option), option.value);
    },
  }, h("option", { value: "", disabled: true, selected: initial === undefined }, placeholder), ...(grouped ?? all.map(choice)));
  return node;
}

function select(one, block, surface) {
  const known = stored(one, block, surface) ?? { selected_option: one.initial_option };
  return nativeSelect(one, block, surface, options(one), (option) => ({ selected_option: option }), known.selected_option?.value);
}

/** Selects whose choices are people or conversations of the workspace. */
function placeSelect(field, list) {
  return (one, block, surface) => {
    const all = list().map((place) => ({ text: place.real_name || (place.is_im ? t("direct") : `#${place.name}`), value: place.id }));
    const initial = stored(one, block, surface)?.[field] ?? one[`initial_${field.replace("selected_", "")}`];
    return nativeSelect(one, block, surface, all, (option) => ({ [field]: option.value }), initial);
  };
}

function choices(one, block, surface, type) {
  const field = type === "radio" ? "selected_option" : "selected_options";
  const known = stored(one, block, surface);
  const initial = type === "radio" ? [known ? known.selected_option : one.initial_option] : known ? known.selected_options : one.initial_options ?? [];
  const chosen = new Set((initial ?? []).filter(Boolean).map((option) => option.value));
  const name = key(one, block, surface);
  return h("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group", "data-action": one.action_id }, ...options(one).map((option) => h("label", { class: "choice" },
    h("input", {
      type, name, value: option.value, checked: chosen.has(option.value), "data-key": `${name}/${option.value}`,
      onchange: (event) => {
        if (type === "radio") return act(one, block, surface, { [field]: option }, option.value);
        if (event.target.checked) chosen.add(option.value); else chosen.delete(option.value);
        const selected = options(one).filter((other) => chosen.has(other.value));
        return act(one, block, surface, { [field]: selected }, selected.map((other) => other.value));
      },
    }),
    h("span", {}, ...(option.text?.type === "mrkdwn" ? mrkdwn(option.text.text) : [plainOf(option.text)]),
      option.description && h("span", { class: "hint" }, plainOf(option.description))))));
}

function multiSelect(one, block, surface) {
  return choices({ ...one, type: one.type }, block, surface, "checkbox");
}

function textInput(type) {
  return (one, block, surface) => {
    const node = h(one.multiline ? "textarea" : "input", {
      class: "field", ...common(one, block, surface), type: one.multiline ? null : type, rows: one.multiline ? "6" : null,
      placeholder: plainOf(one.placeholder) || null, maxlength: one.max_length, min: one.min_value, max: one.max_value,
      "data-autofocus": one.focus_on_load ? "true" : null,
      value: stored(one, block, surface)?.value ?? one.initial_value ?? "",
      oninput: () => surface.set?.(block, one, { type: one.type, value: node.value || null }),
      onkeydown: (event) => {
        if (event.key === "Enter" && !one.multiline && block.dispatch_action) surface.press(block, one, node.value);
      },
    });
    return node;
  };
}

function picker(type, field) {
  return (one, block, surface) => {
    const node = h("input", {
      class: "field short", ...common(one, block, surface), type, "aria-label": surface.inputId ? null : plainOf(one.placeholder) || one.action_id,
      value: stored(one, block, surface)?.[field] ?? one[`initial_${field.replace("selected_", "")}`] ?? "",
      onchange: () => act(one, block, surface, { [field]: node.value || null }, node.value),
    });
    return node;
  };
}

function overflow(one, block, surface) {
  const node = h("button", {
    type: "button", class: "button icon-only", ...common(one, block, surface), "aria-label": t("more"), "aria-haspopup": "menu",
    onclick: () => menu(node, options(one).map((option) => ({
      label: plainOf(option.text),
      run: () => {
        if (safeUrl(option.url)) window.open(safeUrl(option.url), "_blank", "noopener,noreferrer");
        return pressButton(node, one, block, surface, option.value);
      },
    }))),
  }, icon("more"));
  return node;
}

function feedback(one, block, surface) {
  const thumb = (choice, fallback) => {
    const node = h("button", {
      type: "button", class: "button small", "data-action": one.action_id, "data-key": `${key(one, block, surface)}/${choice.value}`, "aria-pressed": "false",
      "aria-label": choice.accessibility_label ?? plainOf(choice.text),
      onclick: async () => {
        for (const other of node.parentNode.children) other.setAttribute("aria-pressed", String(other === node));
        await pressButton(node, one, block, surface, choice.value);
      },
    }, plainOf(choice.text) || fallback);
    return node;
  };
  return h("span", { class: "feedback", role: "group" }, thumb(one.positive_button, "👍"), thumb(one.negative_button, "👎"));
}

function iconButton(one, block, surface) {
  const node = h("button", {
    type: "button", class: "button small", ...common(one, block, surface), "aria-label": one.accessibility_label ?? plainOf(one.text),
    onclick: () => pressButton(node, one, block, surface, one.value),
  }, icon(one.icon === "trash" ? "trash" : "more"), " ", plainOf(one.text));
  return node;
}

const ELEMENTS = {
  button, overflow, static_select: select, external_select: select, feedback_buttons: feedback, icon_button: iconButton,
  workflow_button: button, multi_static_select: multiSelect, multi_external_select: multiSelect,
  users_select: placeSelect("selected_user", () => store.users),
  channels_select: placeSelect("selected_channel", () => channelsOf(store.at.user).filter((one) => !one.is_im)),
  conversations_select: placeSelect("selected_conversation", () => channelsOf(store.at.user)),
  radio_buttons: (one, block, surface) => choices(one, block, surface, "radio"),
  checkboxes: (one, block, surface) => choices(one, block, surface, "checkbox"),
  plain_text_input: textInput("text"), number_input: textInput("number"), email_text_input: textInput("email"), url_text_input: textInput("url"),
  datepicker: picker("date", "selected_date"), timepicker: picker("time", "selected_time"),
  file_input: (one, block, surface) => fileInput(common(one, block, surface), one.max_files ?? 10, stored(one, block, surface)?.files, (files) => surface.set?.(block, one, { type: one.type, files })),
  image: (one) => picture(one, "accessory-image"),
};
