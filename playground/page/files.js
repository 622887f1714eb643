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

/** A modal's file field: uploads at once, as Slack does, and keeps the files; `most` of them. */
export function fileInput(props, most, known, set) {
  let files = [...(known ?? [])];
  const list = h("ul", { class: "chips" });
  const keep = (kept) => { files = kept; set(files); show(); };
  const show = () => list.replaceChildren(...files.map((file) => h("li", { class: "chip" }, icon("file"), file.name, h("span", { class: "faint" }, bytes(file.size)),
    h("button", { type: "button", class: "plain", "aria-label": t("removeFile", { name: file.name }), onclick: () => keep(files.filter((one) => one !== file)) }, "×"))));
  const attach = async (chosen) => {
    for (const file of chosen) {
      try {
        if (files.length >= most) throw new Error(t("mostFiles", { n: most }));
        keep([...files, (await api.upload(store.at.user, file)).file]);
      } catch (error) {
        notice(t("noUpload", { name: file.name, why: error.message }), "wrong");
      }
    }
  };
  show();
  const picker = h("input", { type: "file", class: "field", multiple: most > 1, ...props, onchange: () => { const chosen = [...picker.files]; picker.value = ""; return attach(chosen); } });
  return h("div", { class: "file-input" }, picker, list);
}
