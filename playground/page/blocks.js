// Renders Block Kit blocks. A `surface` says where they stand (message, modal, App Home) and what a press does.

import { h, link, icon } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { markdown } from "./markdown.js";
import { richText } from "./richtext.js";
import { element, plainOf } from "./elements.js";
import { chart } from "./chart.js";
import { picture } from "./files.js";
import { t } from "./words.js";

export function blocks(list, surface) {
  return (list ?? []).map((block) => {
    let body;
    try {
      body = (BLOCKS[block.type] ?? unknown)(block, surface);
    } catch {
      body = unknown(block);
    }
    return h("div", { class: `block block-${block.type}`, "data-block": block.block_id }, body);
  });
}

export function textObject(object) {
  if (!object) return [];
  if (typeof object === "string") return [object];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  if (object.type === "rich_text") return richText(object);
  return [plainOf(object)];
}

const BLOCKS = {
  section(block, surface) {
    const body = h("div", { class: "section-body" },
      block.text && h("div", { class: "text" }, ...textObject(block.text)),
      block.fields && h("div", { class: "fields" }, ...block.fields.map((field) => h("div", { class: "text" }, ...textObject(field)))));
    return h("div", { class: "section" }, body, block.accessory && h("div", { class: "accessory" }, element(block.accessory, block, surface)));
  },
  header: (block) => h("h4", { class: "block-title" }, plainOf(block.text)),
  divider: () => h("hr"),
  markdown: (block) => h("div", { class: "text md" }, ...markdown(block.text)),
  rich_text: (block) => h("div", { class: "text" }, ...richText(block)),
  context: (block) => h("div", { class: "context" }, ...(block.elements ?? []).map((one) =>
    (one.type === "image" ? picture(one, "context-image") : h("span", { class: "text" }, ...textObject(one))))),
  actions: (block, surface) => h("div", { class: "actions" }, ...(block.elements ?? []).map((one) => element(one, block, surface))),
  context_actions: (block, surface) => h("div", { class: "actions quiet" }, ...(block.elements ?? []).map((one) => element(one, block, surface))),
  image: (block) => h("figure", {}, block.title && h("figcaption", {}, plainOf(block.title)), picture(block, "block-image")),
  input(block, surface) {
    const id = `input-${surface.id}-${block.block_id}`;
    const error = surface.errors?.[block.block_id];
    const grouped = ["radio_buttons", "checkboxes"].includes(block.element?.type);
    const field = element(block.element, block, { ...surface, inputId: id, required: !block.optional, error: error && `${id}-error` });
    return h(grouped ? "fieldset" : "div", { class: `input${error ? " wrong" : ""}` },
      h(grouped ? "legend" : "label", grouped ? {} : { for: id }, plainOf(block.label), block.optional && h("span", { class: "faint" }, ` ${t("optional")}`)),
      field,
      error && h("p", { class: "error", id: `${id}-error`, role: "alert" }, error),
      block.hint && h("p", { class: "hint" }, plainOf(block.hint)));
  },
  table: (block) => table(block.rows ?? [], block.column_settings ?? []),
  data_table: (block) => table(block.rows ?? [], [], block.caption),
  data_visualization: (block) => chart(block),
  alert: (block) => h("div", { class: `alert level-${block.level ?? "default"}`, role: "note" }, h("div", { class: "text" }, ...textObject(block.text))),
  card: (block, surface) => card(block, surface),
  carousel: (block, surface) => h("div", { class: "carousel", tabindex: "0" }, ...(block.elements ?? []).map((one) => card(one, surface))),
  container(block, surface) {
    const title = block.rich_text_title ? richText(block.rich_text_title) : textObject(block.title);
    const subtitle = block.subtitle && h("div", { class: "faint" }, ...textObject(block.subtitle));
    const body = h("div", { class: "container-body" }, ...blocks(block.child_blocks, surface));
    if (!block.is_collapsible) return h("section", { class: "container" }, h("div", { class: "container-title" }, ...title), subtitle, body);
    return h("details", { class: "container", open: !block.default_collapsed }, h("summary", {}, ...title, subtitle), body);
  },
  task_card: (block) => taskCard(block),
  plan: (block) => h("section", { class: "container" }, h("div", { class: "container-title" }, plainOf(block.title)),
    h("div", { class: "container-body" }, ...(block.tasks ?? []).map(taskCard))),
  video: (block) => h("div", { class: "card" }, h("strong", {}, plainOf(block.title)), block.title_url && link(block.title_url), h("p", {}, block.alt_text)),
  file: (block) => h("div", { class: "file" }, icon("file"), h("span", {}, block.external_id ?? "file")),
};

function unknown(block) {
  return h("details", { class: "unknown" }, h("summary", {}, t("unknownBlock", { type: String(block?.type) })),
    h("pre", {}, h("code", {}, JSON.stringify(block, null, 2))));
}

function card(block, surface) {
  return h("div", { class: "card" },
    block.hero_image && picture(block.hero_image, "block-image"),
    h("div", { class: "card-head" }, block.icon?.image_url && picture(block.icon, "context-image"),
      h("div", {}, block.title && h("div", { class: "card-title" }, ...textObject(block.title)),
        block.subtitle && h("div", { class: "faint" }, ...textObject(block.subtitle)))),
    block.body && h("div", { class: "text" }, ...textObject(block.body)),
    block.actions && h("div", { class: "actions" }, ...block.actions.map((one) => element(one, block, surface))));
}

const TASK_MARKS = { pending: "○", in_progress: "◐", complete: "●", error: "✕" };

function taskCard(task) {
  return h("div", { class: `task-card task-${task.status}` },
    h("div", {}, h("span", { class: "task-mark", "aria-hidden": "true" }, TASK_MARKS[task.status] ?? "○"), " ", plainOf(task.title),
      h("span", { class: "faint" }, ` ${String(task.status ?? "").replace("_", " ")}`)),
    task.details && h("div", { class: "text" }, ...richText(task.details)),
    task.output && h("div", { class: "text" }, ...richText(task.output)),
    task.sources && h("div", { class: "faint" }, ...task.sources.flatMap((one) => [link(one.url, one.text), " "])));
}

function table(rows, settings, caption) {
  const align = (column) => (settings[column]?.align ? `align-${settings[column].align}` : null);
  const cell = (tag, value, column) => h(tag, { class: align(column), scope: tag === "th" ? "col" : null },
    ...(value?.type === "rich_text" ? richText(value) : [value?.text ?? value?.value ?? ""]));
  return h("div", { class: "table-wrap", tabindex: "0" }, h("table", {},
    caption && h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...(rows[0] ?? []).map((value, column) => cell("th", value, column)))),
    h("tbody", {}, ...rows.slice(1).map((row) => h("tr", {}, ...row.map((value, column) => cell("td", value, column)))))));
}
