// Where a person writes: messages, commands and files, in a channel or in a thread.

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import * as acting from "./acting.js";
import { completer, nameOf } from "./complete.js";
import { confirmed, menu, notice } from "./dialogs.js";
import { bytes } from "./files.js";
import { store, channel, noteLocally, placeName } from "./store.js";
import { t } from "./words.js";
import { toWire } from "./wire.js";

const LIMIT = 40_000; // Slack: longer texts are cut off.
const MOST_FILES = 10; // In a message, as in Slack.
const drafts = new Map();
let count = 0;

/** The app's global shortcuts. Slack has them in this place, too, and in its search. */
const shortcuts = () => (store.app.shortcuts ?? []).filter((one) => one.type === "global")
  .map((one) => ({ label: one.name ?? one.callback_id, run: () => acting.shortcut(one) }));

/** place() says where it writes: {channel, thread}. Returns {node, refresh}. */
export function composer(place) {
  const id = `composer-${count += 1}`;
  const area = h("textarea", { id, class: "composer-text", rows: "1", "aria-describedby": `${id}-hint`, "data-key": id, role: "combobox", "aria-haspopup": "listbox" });
  const picker = h("input", { type: "file", multiple: true, hidden: true, onchange: () => { attach(picker.files); picker.value = ""; } });
  const label = h("label", { for: id, class: "visually-hidden" });
  const chips = h("ul", { class: "chips" });
  const attachButton = h("button", { type: "button", class: "button icon-only", onclick: () => picker.click() }, icon("clip"));
  const sendButton = h("button", { type: "submit", class: "button primary icon-only" }, icon("send"));
  const shortcutsButton = h("button", { type: "button", class: "button icon-only", "aria-haspopup": "menu", hidden: true, onclick: () => menu(shortcutsButton, shortcuts()) }, icon("bolt"));
  const hint = h("span", { class: "faint hint", id: `${id}-hint` });
  const list = completer(area, `${id}-list`, () => Boolean(place().thread));
  let key = "";
  let files = [];

  const form = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); send(); } },
    list.node, label, chips, area,
    h("div", { class: "composer-bar" }, attachButton, picker, shortcutsButton, hint, sendButton));

  area.addEventListener("input", () => { list.update(); grow(); });
  area.addEventListener("blur", () => list.close());
  area.addEventListener("keydown", (event) => {
    // While Hangul is being composed, Enter belongs to the input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (list.key(event)) event.preventDefault();
    else if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
  });
  area.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) { event.preventDefault(); attach(event.clipboardData.files); }
  });
  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("dropping"); });
  form.addEventListener("dragleave", () => form.classList.remove("dropping"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("dropping");
    attach(event.dataTransfer.files);
  });

  function grow() {
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight + 2, innerHeight * 0.32)}px`;
  }

  async function attach(chosen) {
    for (const file of [...chosen]) {
      try {
        if (files.length >= MOST_FILES) throw new Error(t("mostFiles", { n: MOST_FILES }));
        const { file: kept } = await api.upload(store.at.user, file);
        files.push({ id: kept.id, name: file.name, size: file.size });
      } catch (error) {
        notice(t("noUpload", { name: file.name, why: error.message }), "wrong");
      }
    }
    showFiles();
    area.focus();
  }

  function showFiles() {
    chips.replaceChildren(...files.map((file) => h("li", { class: "chip" }, icon("file"), file.name, h("span", { class: "faint" }, bytes(file.size)),
      h("button", { type: "button", class: "plain", "aria-label": t("removeFile", { name: file.name }), onclick: () => { files = files.filter((one) => one !== file); showFiles(); } }, "×"))));
  }

  async function send() {
    const text = area.value.trim();
    const { channel: where, thread } = place();
    if (!text && !files.length) return;
    if (/^\/[a-z][\w-]*(\s|$)/i.test(text) && !files.length) {
      if (await runCommand(text, where, thread)) reset();
      return;
    }
    if (text.length > LIMIT) { await offerFile(text); return; }
    const sent = files;
    const kept = area.value;
    reset();
    const answer = await acting.say({ channel: where, text: toWire(text), thread_ts: thread || undefined, files: sent.map((file) => file.id) });
    if (answer || area.value) return;
    area.value = kept;
    files = sent;
    showFiles();
    grow();
  }

  async function runCommand(text, where, thread) {
    const [, name, rest] = /^(\/\S+)\s*([\s\S]*)$/.exec(text);
    if (thread) { noteLocally(where, t("notInThreads", { command: `\`${name}\`` }), thread); return false; }
    const known = (store.app.commands ?? []).map(nameOf);
    if (known.length && !known.includes(name)) { noteLocally(where, t("badCommand", { command: `\`${name}\`` })); return false; }
    acting.command(where, name, toWire(rest));
    return true;
  }

  async function offerFile(text) {
    const n = text.length.toLocaleString("en");
    if (!(await confirmed({ title: t("tooLongTitle"), text: t("tooLong", { n }), confirm: t("sendAsFile") }))) return;
    area.value = "";
    await attach([new File([text], "text.txt", { type: "text/plain" })]);
    grow();
  }

  function reset() {
    area.value = "";
    files = [];
    drafts.delete(key);
    list.close();
    showFiles();
    grow();
  }

  /** Follows the place: labels, and the draft that was left there. */
  function refresh() {
    const { channel: where, thread } = place();
    const now = `${store.at.user}/${where}/${thread ?? ""}`;
    if (now !== key) {
      drafts.set(key, { text: area.value, files });
      key = now;
      const draft = drafts.get(key) ?? { text: "", files: [] };
      area.value = draft.text;
      files = draft.files;
      showFiles();
      list.close();
      grow();
    }
    const one = channel(where);
    const name = placeName(one);
    const words = one?.is_archived ? t("archived") : thread ? t("writeReply") : t("writeIn", { name });
    area.disabled = Boolean(one?.is_archived);
    label.textContent = words;
    area.placeholder = words;
    hint.textContent = t("composerHint");
    attachButton.setAttribute("aria-label", t("attach"));
    attachButton.title = t("attach");
    shortcutsButton.hidden = Boolean(thread) || !shortcuts().length;
    shortcutsButton.setAttribute("aria-label", t("shortcuts"));
    shortcutsButton.title = t("shortcuts");
    sendButton.setAttribute("aria-label", t("send"));
    sendButton.title = t("send");
    form.dataset.drop = t("dropHere");
  }

  return { node: form, refresh, focus: () => area.focus() };
}
