// The gauge: how far the flow is from the truth, in nats, and where it cannot get below.

import { at, cover, el, svg } from "./dom.js";
import { niceEnd, tidy, ticks, withError } from "./numbers.js";
import { covered } from "./prediction.js";

const HEIGHT = 78;
const TOP = 32; // of the scale's track
const TRACK = 16;
const MISSING = {
  "": "",
  painted: "Paint at least 20 points on the picture above, then press: Use them.",
  table: "Drop a CSV file on the page, or choose one above. It does not leave this page.",
};
const SIDE = 14; // room at both ends

export function showGauge(session) {
  const panel = at("gauge-panel");
  let wanted = false;
  const draw = () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      const hidden = covered(session, "gauge");
      cover(panel, hidden);
      const width = at("gauge").clientWidth; // 0: a lesson shows another part
      at("gauge").replaceChildren(...(hidden || !width ? [] : gauge(session, width)));
    });
  };
  new ResizeObserver(draw).observe(at("gauge"));
  session.on("look floor prediction built", draw);
  session.on("built step", () => (at("measured").textContent = ""));
  session.on("built training prediction", () => {
    at("measure").disabled = !session.built?.known || covered(session, "gauge");
    at("measure").hidden = Boolean(session.built && !session.built.known);
  });
  at("measure").addEventListener("click", async () => {
    at("measured").textContent = "measuring ...";
    const found = await session.ask("measure", { n: 20_000 });
    at("measured").textContent = found ? `KL ${withError(found.kl, found.kl_error, 4)} at step ${found.step}` : "";
  });
}

function gauge(session, width) {
  const { look, built } = session;
  if (!look) return [el("p", { class: "small" }, MISSING[session.state ? session.missing : ""])];
  if (!built.known) return [...unknown(session), losses(session, width)];
  return [
    el("p", { class: "big" }, "KL ", el("output", { id: "kl" }, tidy(look.kl)),
      el("small", {}, ` ± ${tidy(look.kl_error)} nats`)),
    scale(session, width),
    el("p", { class: "sum", id: "sum" }, "expected NLL ", el("b", {}, tidy(look.entropy + look.kl)), " = entropy ",
      el("b", {}, tidy(look.entropy)), " + KL ", el("b", {}, tidy(look.kl))),
    losses(session, width),
  ];
}

function unknown({ state, look }) {
  const whose = state.data === "table" ? "of this table" : "of painted points";
  return [
    el("p", { class: "big" }, "NLL ", el("output", { id: "nll" }, tidy(look.nll)),
      el("small", {}, ` ± ${tidy(look.nll_error)} nats`)),
    el("p", { class: "sum" }, `Measured on the fifth of the rows that training does not use. The KL is unknown: nobody knows the density ${whose}.`),
  ];
}

function scale(session, width) {
  const { look, start, floor, prediction } = session;
  const guess = prediction.compare === "kl" ? prediction.value : null;
  const shownFloor = Number.isFinite(floor?.kl) && !covered(session, "floor") ? floor : null;
  const highest = Math.max(start.kl, look.kl, Math.min(guess ?? 0, 4 * start.kl), shownFloor?.kl ?? 0);
  const end = niceEnd(1.06 * highest);
  const x = (value) => SIDE + (Math.min(Math.max(value, 0), end) / end) * (width - 2 * SIDE);
  const parts = [
    svg("rect", { class: "track", x: SIDE, y: TOP, width: width - 2 * SIDE, height: TRACK, rx: 3 }),
    svg("rect", { class: "level", x: SIDE, y: TOP, width: Math.max(0, x(look.kl) - SIDE), height: TRACK, rx: 3 }),
    svg("rect", {
      class: "band", x: x(look.kl - look.kl_error), y: TOP - 3,
      width: Math.max(2, x(look.kl + look.kl_error) - x(look.kl - look.kl_error)), height: TRACK + 6,
    }),
    svg("line", { class: "needle", x1: x(look.kl), x2: x(look.kl), y1: TOP - 4, y2: TOP + TRACK + 4 }),
  ];
  for (const value of ticks(0, end, 5)) {
    parts.push(svg("text", { class: "tick", x: x(value), y: TOP + TRACK + 16 }, tidy(value, end < 0.8 ? 2 : 1)));
  }
  parts.push(...mark(x(start.kl), "start", TOP + TRACK + 30, `start ${tidy(start.kl, 2)}`, width));
  if (shownFloor) parts.push(...mark(x(shownFloor.kl), "floor", 10, `floor ${tidy(shownFloor.kl)}`, width, shownFloor.why));
  if (guess !== null) parts.push(...mark(x(guess), "guess", 24, `you ${tidy(guess)}`, width));
  const said = [
    `KL ${withError(look.kl, look.kl_error)} nats; it started at ${tidy(start.kl, 2)}`,
    shownFloor && `floor ${tidy(shownFloor.kl)}: ${shownFloor.why}`,
    guess !== null && `your prediction ${tidy(guess)}`,
  ];
  const why = shownFloor ? el("p", { class: "small", id: "floor-why" }, `Floor: ${shownFloor.why}.`) : null;
  return el("div", {}, svg("svg", {
    width, height: HEIGHT + 2, role: "img", "aria-label": `${said.filter(Boolean).join("; ")}.`, class: "scale",
  }, ...parts), why);
}

// A line across the track with its name above, or below; the name stays on the picture.
function mark(x, kind, y, text, width, title = "") {
  const room = 3.3 * text.length;
  const anchor = x < room ? "start" : x > width - room ? "end" : "middle";
  const place = anchor === "start" ? Math.max(2, x - 4) : anchor === "end" ? Math.min(width - 2, x + 4) : x;
  const below = y > TOP;
  return [
    svg("line", { class: `mark ${kind}`, x1: x, x2: x, y1: below ? TOP : y + 2, y2: TOP + TRACK + (below ? 6 : 4) }),
    svg("text", { class: `name ${kind}`, x: place, y, "text-anchor": anchor }, text, svg("title", {}, title)),
  ];
}

// ------------------------------------------------------------ the loss of every batch

const CURVE = 54;

function losses(session, width) {
  const { losses: flat, matches } = session.look;
  const entropy = matches ? null : session.look.entropy ?? null; // a matching loss has another floor
  if (flat.length < 4) return el("p", { class: "small" }, "Train, and the loss of every batch is drawn here.");
  const values = [];
  for (let i = 1; i < flat.length; i += 2) if (Number.isFinite(flat[i])) values.push(flat[i]);
  const ordered = [...values].sort((a, b) => a - b);
  const high = ordered[Math.floor(0.97 * (ordered.length - 1))];
  const low = Math.min(ordered[0], entropy ?? Infinity);
  const y = (v) => 4 + ((high - Math.min(v, high)) / (high - low || 1)) * (CURVE - 10);
  const x = (i) => SIDE + (i / (values.length - 1)) * (width - 2 * SIDE);
  const line = values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" ");
  const parts = [svg("polyline", { class: "loss", points: line })];
  const loss = matches ? "matching loss" : "loss";
  const label = `The ${loss} of the batches, from ${tidy(values[0], 2)} to ${tidy(values.at(-1), 2)}${matches ? "" : " nats"}`;
  if (entropy !== null) {
    parts.push(svg("line", { class: "mark floor", x1: SIDE, x2: width - SIDE, y1: y(entropy), y2: y(entropy) }));
    const fresh = y(Math.max(low, entropy + session.look.kl));
    parts.push(svg("circle", { class: "fresh", cx: width - SIDE, cy: fresh, r: 4 }, svg("title", {}, "entropy + KL: the loss on points that no step sees")));
  }
  const key = entropy === null ? `${loss} of each batch` : "loss of each batch; line: entropy; dot: entropy + KL";
  return el("div", {}, svg("svg", { width, height: CURVE, role: "img", "aria-label": label }, ...parts), el("p", { class: "small" }, key));
}
