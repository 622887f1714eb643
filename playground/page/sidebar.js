// The left side: who is acting, in which language, and the channels with what is new in them.

import { h, fill, icon, mark } from "./dom.js";
import * as acting from "./acting.js";
import { avatar } from "./message.js";
import { hashOf } from "./route.js";
import { store, me, channelsOf, placeName, withBot } from "./store.js";
import * as unread from "./unread.js";
import { LOCALES, currentLanguage, t } from "./words.js";

export function render(node) {
  const acting = me();
  if (!acting) return;
  const channels = channelsOf(acting.id);
  fill(node,
    h("div", { class: "brand" }, mark(), h("div", {}, h("strong", {}, "Threadline"), h("span", { class: "faint" }, store.team.name ?? "playground"))),
    section(t("actAs"), h("ul", { class: "people" }, ...store.users.map((one) => person(one, one.id === acting.id)))),
    language(acting),
    section(t("channels"), h("ul", { class: "places" }, ...channels.filter((one) => !withBot(one)).map(place))),
    section(t("apps"), h("ul", { class: "places" }, ...channels.filter(withBot).map(place))));
}

const section = (title, list) => h("section", { "aria-label": title }, h("h2", {}, title), list);

function person(one, current) {
  return h("li", {}, h("a", { href: hashOf({ user: one.id, ...stay(one.id) }), class: "person", "aria-current": current ? "true" : null, "data-key": `person-${one.id}`, "data-user": one.id },
    avatar(one.id, false, "small"), h("span", { class: "grow ellipsis" }, one.real_name || one.name)),
  !current && h("a", { href: hashOf({ user: one.id, ...stay(one.id) }), target: "_blank", class: "beside", title: t("secondWindow", { name: one.real_name }), "aria-label": t("secondWindow", { name: one.real_name }) }, "⧉"));
}

/** Another person keeps the channel if they see it; a direct message is somebody else's. */
function stay(userId) {
  const visible = channelsOf(userId).some((one) => one.id === store.at.channel && !one.is_im);
  return visible ? {} : { channel: "", thread: "", tab: "messages" };
}

function language(person) {
  const select = h("select", { class: "select small", "aria-label": t("locale", { name: person.real_name }), "data-key": "locale", onchange: () => acting.setLocale(select.value) },
    ...LOCALES.map(([code, name]) => h("option", { value: code, selected: code.slice(0, 2) === currentLanguage() }, name)));
  return h("div", { class: "language" }, select);
}

function place(one) {
  const fresh = unread.count(one);
  const current = one.id === store.at.channel;
  return h("li", {}, h("a", {
    href: hashOf({ channel: one.id, thread: "", tab: "messages" }), class: `place${fresh.n && !current ? " fresh" : ""}`,
    "aria-current": current ? "page" : null, "data-key": `place-${one.id}`, "data-channel": one.id,
  }, h("span", { class: "place-sign" }, withBot(one) ? mark() : one.is_im ? "@" : one.is_private ? icon("lock") : "#"), h("span", { class: "grow ellipsis" }, placeName(one).replace(/^#/, "")),
  fresh.n > 0 && !current && h("span", { class: `count${fresh.forMe ? " for-me" : ""}`, "aria-label": t("unread", { n: fresh.n }) }, fresh.n > 99 ? "99+" : fresh.n)));
}
