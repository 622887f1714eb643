// Shows files and images of the playground. Its cookie stands for the person who is signed in.

import * as api from "./api.js";
import { h, icon, link } from "./dom.js";
import { store } from "./store.js";
import { notice } from "./dialogs.js";
import { t } from "./words.js";

const images = new Map();
const TEXT = /^(text\/|application\/(json|xml|x-yaml|javascript))/;

/** Files live on this server, whatever host name its links carry. */
function local(url) {
  try {
    const parsed = new URL(url, location.href);
    return parsed.pathname.startsWith("/files/") || parsed.origin === location.origin ? parsed.pathname + parsed.search : null;
  } catch {
    return null;
  }
}

async function fetchFile(url) {
  const path = local(url);
  if (!path) throw new Error(t("notHere"));
  const response = await fetch(path);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.blob();
}

export function fileList(files) {
  return h("div", { class: "files" }, ...files.map(fileCard));
}

function fileCard(file) {
  const name = file.name || file.title || file.id;
  const url = file.url_private_download || file.url_private;
  const preview = h("div", { class: "preview" });
  const shown = file.mimetype?.startsWith("image/") ? picture({ image_url: url, alt_text: file.alt_txt ?? name }, "block-image")
    : url && TEXT.test(file.mimetype ?? "") ? h("details", { ontoggle: (event) => event.target.open && previewText(url, preview) },
      h("summary", {}, t("preview")), preview) : null;
  return h("div", { class: "file" },
    h("div", { class: "file-head" }, icon("file"),
      h("div", { class: "grow" }, h("div", { class: "file-name" }, name), h("div", { class: "faint" }, [file.pretty_type || file.filetype || file.mimetype, bytes(file.size)].filter(Boolean).join(" · "))),
      url && h("button", { type: "button", class: "button icon-only", "aria-label": t("download", { name }), onclick: () => save(url, name) }, icon("down"))),
    shown);
}

async function previewText(url, node) {
  try {
    const blob = await fetchFile(url);
    node.replaceChildren(h("pre", {}, h("code", {}, (await blob.slice(0, 8000).text()))));
  } catch (error) {
    node.textContent = error.message;
  }
}

async function save(url, name) {
  try {
    const href = URL.createObjectURL(await fetchFile(url));
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  } catch (error) {
    notice(t("noDownload", { name, why: error.message }), "wrong");
  }
}

/** An image of this server, or its name and link: the page never asks another host for anything. */
export function picture(image, kind) {
  const url = image.image_url ?? image.slack_file?.url;
  const alt = image.alt_text ?? "";
  if (!url || !local(url)) return h("span", { class: `${kind} no-image` }, "🖼 ", alt || t("image"), url && [" ", link(url)]);
  const node = h("img", { class: kind, alt, loading: "lazy" });
  if (!images.has(url)) images.set(url, fetchFile(url).then((blob) => URL.createObjectURL(blob)));
  images.get(url).then((href) => { node.src = href; }, () => { images.delete(url); node.replaceWith(h("span", { class: "no-image" }, alt)); });
  return node;
}

export function bytes(size) {
  if (!(size >= 0)) return "";
  if (size < 1024) return `${size} B`;
  return size < 1024 ** 2 ? `${(size / 1024).toFixed(1)} KB` : `${(size / 1024 ** 2).toFixed(1)} MB`;
}

/** A modal's file field: uploads at once, as Slack does, and keeps the file ids. */
export function fileInput(props, known, set) {
  const list = h("ul", { class: "chips" });
  const files = [...(known?.files ?? [])];
  const show = () => list.replaceChildren(...files.map((file) => h("li", { class: "chip" }, file.name)));
  show();
  return h("div", {}, h("input", {
    type: "file", class: "field", multiple: true, ...props,
    onchange: async (event) => {
      for (const file of event.target.files) {
        try { files.push((await api.upload(store.at.user, file)).file); } catch (error) { notice(t("noUpload", { name: file.name, why: error.message }), "wrong"); }
      }
      set(files);
      show();
    },
  }), list);
}
