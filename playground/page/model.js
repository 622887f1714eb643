// "Model server": slots as boxes, who waits, the calls, and the last minute as a small curve.

import * as api from "./api.js";
import { h, svg, fill } from "./dom.js";
import { duration, epoch } from "./time.js";
import { stateWord, t } from "./words.js";

const SECONDS = 60;
const history = []; // {at, inFlight, waiting}
export let latest = null;

export async function refresh(node) {
  try {
    latest = await api.get("model");
    remember(latest);
    draw(node, latest);
  } catch {
    fill(node, h("p", { class: "faint" }, t("modelOff")));
  }
}

function remember({ in_flight: inFlight = 0, waiting = 0 }) {
  const at = Date.now() / 1000;
  history.push({ at, inFlight, waiting });
  while (history.length && history[0].at < at - SECONDS - 2) history.shift();
}

function draw(node, state) {
  const { in_flight: n = 0, slots = 0, waiting = 0, calls = [] } = state;
  fill(node,
    h("div", { class: "slots", role: "img", "aria-label": t("inFlight", { n, slots }) },
      ...Array.from({ length: Math.min(Math.max(slots, n), 64) }, (_, at) => h("span", { class: `slot${at < n ? at < slots ? " used" : " over" : ""}` }))),
    h("p", { class: "facts" }, h("strong", {}, t("inFlight", { n, slots })), " · ", t("waiting", { n: waiting })),
    curve(slots),
    h("p", { class: "facts faint" }, [t("served", { n: state.served ?? 0 }), t("refused", { n: state.refused ?? 0 }), t("peak", { n: state.peak_in_flight ?? 0 })].join(" · ")),
    list(calls));
}

/** Calls in flight over the last minute as a filled curve, with the slots as a dashed line. */
function curve(slots) {
  const [width, height] = [300, 54];
  const now = Date.now() / 1000;
  const top = Math.max(slots, 1, ...history.map((one) => one.inFlight)) * 1.15;
  const x = (at) => Math.max(0, (1 - (now - at) / SECONDS) * width).toFixed(1);
  const y = (value) => (height - 2 - (value / top) * (height - 6)).toFixed(1);
  // Steps, not slopes: between two readings the number is the earlier one.
  const steps = history.flatMap((one, at) => [`${x(one.at)},${y(one.inFlight)}`, `${x(history[at + 1]?.at ?? now)},${y(one.inFlight)}`]);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "curve", role: "img", "aria-label": t("minute"), preserveAspectRatio: "none" },
    svg("title", {}, t("minute")),
    svg("line", { x1: 0, x2: width, y1: y(slots), y2: y(slots), class: "ceiling", "vector-effect": "non-scaling-stroke" }),
    steps.length && svg("polygon", { points: `${x(history[0].at)},${height} ${steps.join(" ")} ${width},${height}`, class: "area" }),
    steps.length && svg("polyline", { points: steps.join(" "), fill: "none", "vector-effect": "non-scaling-stroke" }));
}

function list(calls) {
  const open = calls.filter((one) => !["done", "refused", "gone", "failed"].includes(one.state));
  const shown = (open.length ? open : calls.slice(-3)).slice(-12).reverse();
  if (!shown.length) return h("p", { class: "faint" }, t("noCalls"));
  return h("ol", { class: "calls" }, ...shown.map((one) => {
    const started = epoch(one.started ?? one.arrived);
    return h("li", { class: `call state-${one.state}` }, h("span", { class: "dot", "aria-hidden": "true" }),
      h("span", { class: "job-state" }, stateWord(one.state)), h("span", { class: "faint grow ellipsis" }, t("tokens", { in: one.tokens_in ?? 0, out: one.tokens_out ?? 0 })),
      h("span", { class: "faint job-time" }, started && open.length ? duration(Date.now() / 1000 - started) : ""));
  }));
}
