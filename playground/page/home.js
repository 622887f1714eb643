// The bot's App Home, as the bot published it for the acting person.

import { h, fill } from "./dom.js";
import * as acting from "./acting.js";
import { blocks } from "./blocks.js";
import { store } from "./store.js";
import { t } from "./words.js";

let shown;

export function render(node) {
  const view = store.homes.get(store.at.user);
  const signature = JSON.stringify([view, store.at.user]);
  if (signature === shown && node.firstChild) return;
  shown = signature;
  if (!view?.blocks?.length) {
    fill(node, h("p", { class: "empty" }, t("homeEmpty")));
    return;
  }
  const values = {};
  const surface = {
    id: `home-${view.id}`,
    get: (block, one) => values[block.block_id]?.[one.action_id],
    set: (block, one, state) => { (values[block.block_id] ??= {})[one.action_id] = state; },
    press: (block, one, value) => acting.press({ view_id: view.id, values }, block, one, value),
  };
  fill(node, h("div", { class: "home-blocks" }, ...blocks(view.blocks, surface)));
}
