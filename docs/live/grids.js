// The base, and the same grid and cloud after k layers: slider, play, and what lies between.

import { at } from "./dom.js";
import { drawField, fastestOf } from "./field.js";
import { clamp, tidy } from "./numbers.js";
import { Sheet } from "./sheet.js";
import { isHeavy, layerName } from "./state.js";
import { colours } from "./theme.js";

const SECONDS = 0.9; // from one layer to the next
const LONGEST = 6; // from the base to the data
const slowly = matchMedia("(prefers-reduced-motion: reduce)");

export function showGrids(session) {
  const slider = at("k");
  let place = Infinity; // between which stages: a number from 0 to the last
  let playing = null;

  const base = new Sheet(at("base"), (sheet) => drawStage(sheet, session, 0));
  const stage = new Sheet(at("stage"), (sheet) => drawStage(sheet, session, place));
  base.frame = [-4, 4, -4, 4];

  const last = () => (session.look ? session.look.stages.shape[0] - 1 : 0);

  function show() {
    const k = clamp(Math.round(place), 0, last());
    slider.max = last();
    slider.value = k;
    const name = session.look?.stages.names[k] ?? "";
    const [count, called] = caption(session, k, last(), name);
    at("k-said").textContent = count;
    at("k-name").textContent = called;
    at("base-said").textContent = isHeavy(session) ? "z ~ Student t" : "z ~ N(0, I)";
    slider.setAttribute("aria-valuetext", `${count}: ${called}`);
    slider.setAttribute("aria-label", isFlowing(session) ? "The time t" : "After how many maps");
    stage.redraw();
  }

  function moveTo(k) {
    place = k;
    show();
  }

  session.on("state", ({ opened }) => {
    if (opened) stop();
  });

  function stop() {
    cancelAnimationFrame(playing?.frame);
    clearTimeout(playing?.timer);
    playing = null;
    at("play").textContent = "▶";
    at("play").setAttribute("aria-label", "Play: from the base to the data");
  }

  function play() {
    if (playing) return keep(Math.round(place));
    const end = last();
    const each = Math.min(SECONDS, LONGEST / end) * 1000;
    const begin = performance.now();
    playing = {};
    at("play").textContent = "❚❚";
    at("play").setAttribute("aria-label", "Stop");
    const go = (now) => {
      const passed = clamp((now - begin) / each, 0, end);
      // Without motion the pictures change, but nothing glides. With it, each layer rests a moment.
      moveTo(slowly.matches ? Math.floor(passed) : isFlowing(session) ? passed : eased(passed));
      if (passed >= end) keep(end);
      else if (slowly.matches) playing.timer = setTimeout(() => go(performance.now()), each);
      else playing.frame = requestAnimationFrame(go);
    };
    go(begin);
  }

  function keep(k) {
    stop();
    moveTo(k);
    session.change({ k: k === last() ? null : k });
  }

  slider.addEventListener("input", () => keep(Number(slider.value)));
  at("play").addEventListener("click", play);
  session.on("look point state", () => {
    if (!playing) place = Math.min(session.state.k ?? Infinity, last());
    base.redraw();
    show();
  });
  session.on("built", () => {
    at("play").disabled = !session.built;
    if (session.built) return;
    base.redraw();
    stage.redraw();
  });
  session.on("paused", () => {
    if (!session.look) return;
    const { names } = session.look.stages;
    const way = session.at?.z.map((v) => tidy(v, 2)).join(", ");
    at("base").setAttribute("aria-label", `The base, a standard normal, with a grid. The point comes from z = (${way}).`);
    at("stage").setAttribute("aria-label", `The grid and 250 samples of the base after some of these layers: ${names.slice(1).join(", ")}.`);
  });
}

/** Whether the stages are times of a continuous flow; the last one is rescaled. */
const isFlowing = ({ look }) => Boolean(look?.stages.field);

// How far, and what happened last.
function caption(session, k, last, name) {
  if (isFlowing(session)) return [`time ${k < last ? name.slice(4) : "1, rescaled"}`, k ? "" : "the base itself"];
  return [k === 0 ? "no map" : `${k} of ${last} maps`, k ? layerName(session, name) : "the base itself"];
}

// Slow at both ends of every layer.
const eased = (t) => {
  const u = t % 1;
  return t - u + u * u * (3 - 2 * u);
};

function drawStage(sheet, session, place) {
  const { look } = session;
  if (!look) {
    sheet.axes();
    return;
  }
  const [stages, lines, dots] = look.stages.shape;
  const t = clamp(place, 0, stages - 1);
  const k = Math.min(Math.floor(t), stages - 2);
  const between = between_(t - k);
  sheet.frame = look.stages.frames[k].map((v, i) => between(v, look.stages.frames[k + 1][i]));
  const perStage = lines * dots * 2;
  const grid = blend(look.stages.lines, k, perStage, between);
  const cloud = blend(look.stages.cloud, k, look.stages.cloud.length / stages, between);
  const { one, two, dot } = colours();
  const { field } = look.stages;
  const shown = field ? clamp(stages - 1 - t, 0, 1) : 0; // arrows fade where the data are rescaled
  sheet.inside((context) => {
    if (shown) drawField(sheet, context, blend(field, k, field.length / stages, between), fastestOf(field), shown);
    sheet.dots(cloud, field ? 2 : 1.4, dot, field ? 0.8 : 0.55);
    drawFamily(sheet, context, grid, 0, lines / 2, dots, one);
    drawFamily(sheet, context, grid, lines / 2, lines, dots, two);
    const way = session.at?.stages;
    if (way?.length === stages * 2) sheet.mark(blend(way, k, 2, between));
  });
  sheet.axes(t === stages - 1 ? session.built?.columns : ["z₁", "z₂"]);
}

const between_ = (share) => (a, b) => (share === 0 ? a : a + (b - a) * share);

function blend(values, k, size, between) {
  const from = k * size;
  const found = new Float32Array(size);
  for (let i = 0; i < size; i++) found[i] = between(values[from + i], values[from + size + i]);
  return found;
}

// One family of lines in three shades: the middle one, those within one deviation, the rest.
function drawFamily(sheet, context, grid, first, end, dots, colour) {
  const middle = (first + end - 1) / 2;
  const shades = [
    [0.38, 1, (far) => far > 2],
    [0.8, 1.3, (far) => far > 0 && far <= 2],
    [1, 2.2, (far) => far === 0],
  ];
  context.strokeStyle = colour;
  context.lineJoin = "round";
  for (const [alpha, width, belongs] of shades) {
    context.globalAlpha = alpha;
    context.lineWidth = width;
    context.beginPath();
    for (let line = first; line < end; line++) {
      if (belongs(Math.abs(line - middle))) trace(sheet, context, grid, line * dots, dots);
    }
    context.stroke();
  }
  context.globalAlpha = 1;
}

function trace(sheet, context, grid, from, dots) {
  let down = false;
  for (let i = from; i < from + dots; i++) {
    const x = sheet.x(grid[2 * i]);
    const y = sheet.y(grid[2 * i + 1]);
    // What is not finite, or far out, would break the path.
    const fine = Math.abs(x) < 1e5 && Math.abs(y) < 1e5;
    if (fine && down) context.lineTo(x, y);
    else if (fine) context.moveTo(x, y);
    down = fine;
  }
}
