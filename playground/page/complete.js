// The composer's suggestions: commands and recipes after "/", people after "@", channels after "#".

import { h } from "./dom.js";
import { store, channelsOf } from "./store.js";
import { people } from "./wire.js";

/** What could stand at the caret: {from, items: [{insert, title, note}]}, or null. */
export function suggestions(text, caret, inThread) {
  const before = text.slice(0, caret);
  if (!inThread && /^\/\S*$/.test(before)) return found(0, commands(before));
  const recipe = !inThread && /^(\/\S+)\s+(\S*)$/.exec(before);
  if (recipe) return found(caret - recipe[2].length, recipes(recipe[1], recipe[2]));
  const mention = /(?:^|[\s(])([@#])([^\s@#]*)$/.exec(before);
  if (!mention) return null;
  const list = mention[1] === "@" ? persons(mention[2]) : places(mention[2]);
  return found(caret - mention[2].length - 1, list);
}

const found = (from, items) => (items.length ? { from, items: items.slice(0, 8) } : null);
const starts = (name, typed) => name?.toLowerCase().startsWith(typed.toLowerCase());

function commands(typed) {
  return (store.app.commands ?? []).filter((one) => starts(nameOf(one), typed))
    .map((one) => ({ insert: `${nameOf(one)} `, title: nameOf(one), note: [one.usage_hint, one.description].filter(Boolean).join(" · ") }));
}

export const nameOf = (command) => (typeof command === "string" ? command : command.command);

function recipes(command, typed) {
  const known = store.app.commands?.find((one) => nameOf(one) === command);
  if (!known) return [];
  return (known.recipes ?? store.app.recipes ?? []).map((one) => (typeof one === "string" ? { name: one } : one))
    .filter((one) => starts(one.name, typed) && one.name !== typed)
    .map((one) => ({ insert: `${one.name} `, title: one.name, note: one.description ?? one.purpose ?? "" }));
}

const persons = (typed) => people().filter((one) => starts(one.name, typed) || starts(one.label, typed))
  .map((one) => ({ insert: `@${one.name} `, title: `@${one.name}`, note: one.label }));

const places = (typed) => channelsOf(store.at.user).filter((one) => !one.is_im && starts(one.name, typed))
  .map((one) => ({ insert: `#${one.name} `, title: `#${one.name}`, note: "" }));

/** The list box above a text area. It answers the keys it wants with true. */
export function completer(area, id, inThread) {
  const list = h("ul", { class: "suggestions", role: "listbox", id, hidden: true });
  let offered = null;
  let at = 0;
  area.setAttribute("aria-autocomplete", "list");
  area.setAttribute("aria-controls", id);

  const show = () => {
    list.hidden = !offered;
    area.setAttribute("aria-expanded", String(Boolean(offered)));
    if (!offered) { area.removeAttribute("aria-activedescendant"); return; }
    list.replaceChildren(...offered.items.map((item, index) => h("li", {
      role: "option", id: `${id}-${index}`, "aria-selected": String(index === at),
      onpointerdown: (event) => { event.preventDefault(); at = index; take(); },
    }, h("strong", {}, item.title), item.note && h("span", { class: "faint" }, item.note))));
    area.setAttribute("aria-activedescendant", `${id}-${at}`);
  };
  const take = () => {
    area.setRangeText(offered.items[at].insert, offered.from, area.selectionStart, "end");
    offered = null;
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const close = () => { offered = null; show(); };

  return {
    node: list,
    close,
    update() {
      // Texts beyond a few lines are pasted documents, where every @ and / would open the list.
      offered = area.value.length < 4000 ? suggestions(area.value, area.selectionStart, inThread()) : null;
      at = 0;
      show();
    },
    key(event) {
      if (!offered) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { at = (at + step + offered.items.length) % offered.items.length; show(); return true; }
      // What is already written whole needs no choosing: Enter sends it.
      if (event.key === "Enter" && offered.items[at].insert.trim().toLowerCase() === area.value.slice(offered.from, area.selectionStart).toLowerCase()) {
        close();
        return false;
      }
      if (event.key === "Enter" || event.key === "Tab") { take(); return true; }
      if (event.key === "Escape") { close(); event.stopPropagation(); return true; }
      return false;
    },
  };
}
