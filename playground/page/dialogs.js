// Confirm dialogs, pop-up menus and short notices.

import { h } from "./dom.js";
import { t } from "./words.js";

const plain = (object) => (typeof object === "string" ? object : object?.text ?? "");

/** Asks with a native dialog, which keeps the keyboard inside and closes on Esc. Resolves to true or false. */
export function confirmed({ title, text, confirm, deny, style }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "confirm", "aria-labelledby": "confirm-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "confirm-title" }, plain(title)),
        h("p", {}, plain(text)),
        h("div", { class: "actions end" },
          h("button", { class: "button", value: "no" }, plain(deny) || t("cancel")),
          h("button", { class: `button ${style === "danger" ? "danger" : "primary"}`, value: "yes" }, plain(confirm) || t("ok")))));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A menu under a button: arrows move, Enter runs, Esc or a click elsewhere closes. */
export function menu(anchor, items) {
  document.querySelector(".menu")?.remove();
  const node = h("div", { class: "menu", role: "menu" }, ...items.map((item) => h("button", {
    type: "button", role: "menuitem", class: item.danger ? "danger" : null, onclick: () => { close(); item.run(); },
  }, item.label)));
  const close = () => {
    node.remove();
    removeEventListener("pointerdown", outside, true);
    anchor.setAttribute("aria-expanded", "false");
    anchor.focus();
  };
  const outside = (event) => { if (!node.contains(event.target)) close(); };
  node.addEventListener("keydown", (event) => {
    const all = [...node.children];
    const at = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) all.at((at + step + all.length) % all.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // A menu opened inside a dialog has to live in it: the rest of the page is inert.
  (anchor.closest("dialog") ?? document.body).append(node);
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = node;
  const top = box.bottom + height + 8 > innerHeight ? Math.max(8, box.top - height - 4) : box.bottom + 4;
  node.style.top = `${top}px`;
  node.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  anchor.setAttribute("aria-expanded", "true");
  addEventListener("pointerdown", outside, true);
  node.firstElementChild?.focus();
}

/** A short sentence at the foot of the page, read out, gone after eight seconds. */
export function notice(text, kind = "info") {
  const region = document.getElementById("notices");
  const node = h("div", { class: `notice ${kind}` }, h("span", {}, text),
    h("button", { type: "button", class: "plain", "aria-label": t("close"), onclick: () => node.remove() }, "×"));
  region.append(node);
  setTimeout(() => node.remove(), 8000);
}
