// Times as people read them, in the language of the page.

import { currentLanguage, t } from "./words.js";

const date = (ts) => new Date(Number.parseFloat(ts) * 1000);

export const clock = (ts) => date(ts).toLocaleTimeString(currentLanguage(), { hour: "numeric", minute: "2-digit" });
/** Without the half of the day, where there is little room. */
export const brief = (ts) => clock(ts).replace(/\s?[AP]M$|^오[전후]\s/, "");
export const full = (ts) => date(ts).toLocaleString(currentLanguage());
export const dayKey = (ts) => date(ts).toDateString();

export function day(ts) {
  const today = new Date();
  const then = date(ts);
  if (then.toDateString() === today.toDateString()) return t("today");
  today.setDate(today.getDate() - 1);
  if (then.toDateString() === today.toDateString()) return t("yesterday");
  return then.toLocaleDateString(currentLanguage(), { weekday: "long", month: "long", day: "numeric" });
}

/** Seconds as 0:07, 3:20 or 1:02:03. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Reads epoch seconds, epoch milliseconds or an ISO date; undefined when it is none of them. */
export function epoch(value) {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "number" || /^\d+(\.\d+)?$/.test(value)) return Number(value) > 1e11 ? Number(value) / 1000 : Number(value);
  const zoned = /[zZ]|[+-]\d\d:?\d\d$/.test(value) ? value : `${value}Z`;
  const parsed = Date.parse(zoned.replace(" ", "T"));
  return Number.isNaN(parsed) ? undefined : parsed / 1000;
}
