// Draws `data_visualization` blocks (pie, bar, area, line) as inline SVG, with the numbers as a table for screen readers.

import { h, svg } from "./dom.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [460, 210, 40, 36, 10];

export function chart(block) {
  const data = block.chart ?? {};
  const pie = data.type === "pie";
  const names = pie ? (data.segments ?? []).map((one) => one.label) : (data.series ?? []).map((one) => one.name);
  return h("figure", { class: "chart" },
    h("figcaption", {}, block.title ?? ""),
    pie ? pieChart(data.segments ?? []) : axisChart(data),
    (pie || names.length > 1) && h("ul", { class: "legend" }, ...names.map((name, at) => h("li", { class: `c${at % 6}` }, name))),
    numbers(data, pie));
}

function numbers(data, pie) {
  const rows = pie ? (data.segments ?? []).map((one) => [one.label, one.value])
    : categories(data).map((label) => [label, ...(data.series ?? []).map((one) => valueAt(one, label))]);
  return h("table", { class: "visually-hidden" }, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell ?? "")))));
}

const categories = (data) => data.axis_config?.categories ?? (data.series?.[0]?.data ?? []).map((one) => one.label);
const valueAt = (series, label) => (series.data ?? []).find((one) => one.label === label)?.value ?? 0;

function pieChart(segments) {
  const total = segments.reduce((sum, one) => sum + Math.max(0, Number(one.value) || 0), 0) || 1;
  const round = 2 * Math.PI * 60;
  let done = 0;
  return svg("svg", { viewBox: "0 0 200 200", class: "pie", "aria-hidden": "true" }, ...segments.map((one, at) => {
    const share = Math.max(0, Number(one.value) || 0) / total;
    const arc = svg("circle", { cx: 100, cy: 100, r: 60, class: `c${at % 6}`, fill: "none", "stroke-width": 48,
      "stroke-dasharray": `${Math.max(0, share * round - (segments.length > 1 ? 1.5 : 0))} ${round}`, "stroke-dashoffset": -done * round, transform: "rotate(-90 100 100)" });
    done += share;
    return arc;
  }));
}

function axisChart(data) {
  const labels = categories(data);
  const series = (data.series ?? []).map((one) => labels.map((label) => Number(valueAt(one, label)) || 0));
  const top = nice(Math.max(1, ...series.flat()));
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const slot = (WIDTH - LEFT - 8) / Math.max(1, labels.length);
  const x = (at) => LEFT + slot * (at + 0.5);
  const grid = [0, 0.5, 1].map((part) => svg("g", {},
    svg("line", { x1: LEFT, x2: WIDTH - 8, y1: y(top * part), y2: y(top * part), class: "grid" }),
    svg("text", { x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, short(top * part))));
  const every = Math.ceil(labels.length / 8);
  const names = labels.map((label, at) => at % every === 0 && svg("text", { x: x(at), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, label.slice(0, 12)));
  const title = data.axis_config?.x_label;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "axes", "aria-hidden": "true" }, grid,
    data.type === "bar" ? bars(series, x, y, slot) : lines(series, x, y, data.type === "area"), names,
    title && svg("text", { x: WIDTH / 2, y: HEIGHT - 4, "text-anchor": "middle", class: "axis-title" }, title));
}

function bars(series, x, y, slot) {
  const width = Math.min(36, slot * 0.72 / Math.max(1, series.length));
  return series.map((values, one) => values.map((value, at) => svg("rect", {
    x: x(at) + (one - series.length / 2) * width, y: y(value), width: Math.max(1, width - 2), height: Math.max(0, y(0) - y(value)), rx: 2, class: `c${one % 6}`,
  })));
}

function lines(series, x, y, filled) {
  return series.map((values, one) => {
    const points = values.map((value, at) => `${x(at)},${y(value)}`).join(" ");
    return svg("g", { class: `c${one % 6}` },
      filled && values.length > 1 && svg("polygon", { points: `${x(0)},${y(0)} ${points} ${x(values.length - 1)},${y(0)}`, class: "area" }),
      svg("polyline", { points, fill: "none" }), values.map((value, at) => svg("circle", { cx: x(at), cy: y(value), r: 2.5 })));
  });
}

function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

const short = (value) => (value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : `${Math.round(value * 100) / 100}`);
