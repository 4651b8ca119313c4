// log p at the point: what the base gives, and what every layer adds to it.

import { at, cover, el, svg } from "./dom.js";
import { pair, tidy } from "./numbers.js";
import { covered } from "./prediction.js";
import { isHeavy, layerName } from "./state.js";

const ROW = 20;
const NAME = 84; // room for a layer's name
const NUMBER = 50; // and for its number

export function showBars(session) {
  const panel = at("bars-panel");
  const draw = () => {
    const hidden = covered(session, "bars");
    cover(panel, hidden);
    const ready = session.at && session.built && !hidden && at("bars").clientWidth > 0;
    at("bars-point").textContent = session.at && session.built ? `x = ${pair(session.point)}` : "";
    at("bars").replaceChildren(...(ready ? waterfall(session, at("bars").clientWidth) : []));
  };
  new ResizeObserver(draw).observe(at("bars"));
  session.on("point prediction built", draw);
}

function waterfall(session, width) {
  const { parts, log_p: sum } = session.at;
  const { prediction } = session;
  const guess = prediction.compare === "log_p" ? prediction.value : null;
  const base = isHeavy(session) ? "log t(z)" : "log N(z)";
  const rows = stacked(parts.map(([name, nats]) => [layerName(session, name), nats]));
  const ends = [0, sum, guess ?? 0, ...rows.flatMap(({ from, to }) => [from, to])].filter(Number.isFinite);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const x = (value) => NAME + ((value - low) / (high - low || 1)) * (width - NAME - NUMBER - 8);
  const height = (rows.length + 1) * ROW + 6;
  const found = [svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: height - 4 })];
  rows.forEach((row, i) => found.push(...bar(row.name === "base" ? { ...row, name: base } : row, i * ROW, x, width)));
  found.push(...total(sum, rows.length * ROW, x, width));
  if (guess !== null) {
    found.push(svg("line", { class: "mark guess", x1: x(guess), x2: x(guess), y1: 0, y2: height - 2 }));
  }
  const terms = rows.map(({ name, nats }) => `${name} ${tidy(nats)}`).join(", ");
  const label = `log p(x) = ${tidy(sum)} nats: ${terms}.`;
  const said = `log p(x) = ${rows.map(({ nats }, i) => (i ? signed(nats) : tidy(nats))).join(" ")} = ${tidy(sum)}`;
  return [
    svg("svg", { width, height, role: "img", "aria-label": label, class: "bars" }, ...found),
    el("p", { class: "small", id: "log-p-said" }, said),
    guess === null ? null : el("p", { class: "small guess" }, `You said ${tidy(guess)}.`),
  ].filter(Boolean);
}

// Every bar begins where the one above ends; layers of one name are counted.
function stacked(parts) {
  const total = {};
  for (const [name] of parts) total[name] = (total[name] ?? 0) + 1;
  const seen = {};
  let from = 0;
  return parts.map(([name, nats]) => {
    seen[name] = (seen[name] ?? 0) + 1;
    const to = from + nats;
    const row = { name: total[name] > 1 ? `${name} ${seen[name]}` : name, nats, from, to };
    from = to;
    return row;
  });
}

function bar({ name, nats, from, to }, y, x, width) {
  if (!Number.isFinite(to)) return [svg("text", { class: "name", x: NAME - 6, y: y + 14, "text-anchor": "end" }, name)];
  const [left, right] = [Math.min(x(from), x(to)), Math.max(x(from), x(to))];
  const kind = /^log .\(z\)$/.test(name) ? "of-base" : nats < 0 ? "down" : "up";
  return [
    svg("text", { class: "name", x: NAME - 6, y: y + 14, "text-anchor": "end" }, name),
    svg("rect", { class: `bar ${kind}`, x: left, y: y + 3, width: Math.max(1.5, right - left), height: ROW - 6 }),
    svg("line", { class: "thread", x1: x(to), x2: x(to), y1: y + 3, y2: y + ROW + 3 }),
    svg("text", { class: "value", x: width - 4, y: y + 14, "text-anchor": "end" }, signed(nats)),
  ];
}

function total(sum, y, x, width) {
  if (!Number.isFinite(sum)) return [];
  return [
    svg("line", { class: "zero", x1: 0, x2: width, y1: y + 1.5, y2: y + 1.5 }),
    svg("text", { class: "name strong", x: NAME - 6, y: y + 15, "text-anchor": "end" }, "log p(x)"),
    svg("line", { class: "mark floor", x1: x(sum), x2: x(sum), y1: y + 3, y2: y + ROW - 1 }),
    svg("text", { class: "value strong", id: "log-p", x: width - 4, y: y + 15, "text-anchor": "end" }, tidy(sum)),
  ];
}

const signed = (nats) => (nats >= 0 ? `+${tidy(nats)}` : tidy(nats));
