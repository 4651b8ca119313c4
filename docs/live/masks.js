// The masks as cells, coloured by degree; and the walk: which units are computed when.

import { at, setOptions } from "./dom.js";
import { clamp } from "./numbers.js";
import { covered, taskOf } from "./prediction.js";
import { colours, degreeColour, onTheme } from "./theme.js";

const GAP = 10; // between two masks
const EDGE = 0.15; // of a cell: labels of rows stand so far to the left
const LARGEST = 22; // pixels of a cell
const HIGHEST = 230; // and of the picture
const OF_A_TASK = { cell: 36, height: 380, rest: 430 }; // where it is what a task asks for; the rest of the page
const STEP = 550; // ms of the walk by degree; a unit takes a third

export function showMasks(session) {
  const walk = new Walk(session, draw);
  const canvas = at("masks");
  const panel = at("masks-panel");

  function draw() {
    const { network } = session;
    if (!network || !canvas.clientWidth) return;
    const picture = network.kind === "made" ? made(network) : coupling(network);
    const wide = (canvas.clientWidth - picture.gaps * GAP) / (picture.columns + EDGE);
    const large = panel.classList.contains("large");
    const high = large ? clamp(innerHeight - OF_A_TASK.rest, HIGHEST, OF_A_TASK.height) : HIGHEST;
    const cell = Math.min(large ? OF_A_TASK.cell : LARGEST, wide, high / picture.rows);
    const height = Math.ceil(cell * picture.rows + 4);
    const ratio = window.devicePixelRatio || 1;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    picture.draw(context, cell, walk);
    describe(session, walk);
  }

  new ResizeObserver(draw).observe(canvas);
  onTheme(draw);
  session.on("prediction", () => {
    const large = isAsked(session);
    if (large !== panel.classList.contains("large")) place(panel, large);
    draw();
  });
  session.on("network", () => walk.reset());
  session.on("about", () => {
    const [low, high] = session.about.variables;
    setOptions(at("variables"), Array.from({ length: high - low + 1 }, (_, i) => [low + i, low + i]), low);
  });
  session.on("state", ({ before, opened }) => {
    if (before?.task !== session.state.task) panel.open = !session.state.task || isAsked(session);
    at("variables").value = session.state.variables;
    if (!opened && before.variables !== session.state.variables) session.askNetwork();
  });
  at("variables").addEventListener("change", () => session.change({ variables: Number(at("variables").value) }));
  at("walk-play").addEventListener("click", () => walk.play());
  at("walk-step").addEventListener("click", () => walk.forward());
  at("walk-reset").addEventListener("click", () => walk.reset());
  at("time-it").addEventListener("click", () => timeIt(session));
  session.on("built network prediction", () => {
    const oneWay = !session.network?.walk.steps.length;
    for (const id of ["walk-play", "walk-step", "walk-reset"]) at(id).disabled = oneWay || covered(session, "walk");
    at("time-it").disabled = oneWay || covered(session, "walk");
  });
  session.on("built", () => (at("time-said").textContent = ""));
}

// Whether a task asks for them. In the other tasks they are folded: two variables have dull masks.
const isAsked = (session) => ["connections", "units"].includes(taskOf(session)?.compare);

// In a task about masks they stand above the pictures, and the form right below them.
function place(panel, large) {
  panel.classList.toggle("large", large);
  const pictures = document.querySelector(".pictures");
  const panels = document.querySelector(".panels");
  if (large) {
    pictures.before(panel);
    at("controls").after(pictures);
  } else {
    at("controls").before(pictures);
    panels.append(panel);
  }
}

async function timeIt(session) {
  at("time-said").textContent = "timing ...";
  const found = await session.ask("sequential_seconds");
  const ms = (seconds) => `${(1000 * seconds).toFixed(1)} ms`;
  const what = session.state.flow === "iaf" ? "The density" : "Sampling";
  at("time-said").textContent = found
    ? `${what} of the flow above (2 variables), 2000 rows: by degree ${ms(found.by_degree)}, the loop ${ms(found.loop)}.` : "";
}

// ------------------------------------------------------------ the walk

class Walk {
  constructor(session, changed) {
    this.session = session;
    this.changed = changed;
    this.done = 0; // steps of the walk
  }

  get steps() {
    return this.session.network?.walk.steps ?? [];
  }

  reset() {
    this.stop();
    this.done = 0;
    this.changed();
  }

  forward() {
    this.done = this.done >= this.steps.length ? 0 : this.done + 1;
    this.changed();
  }

  play() {
    if (this.timer) return this.stop();
    if (this.done >= this.steps.length) this.done = 0;
    at("walk-play").textContent = "❚❚ Walk";
    const go = () => {
      this.forward();
      if (this.done >= this.steps.length) return this.stop();
      const single = this.session.state.method === "unit_by_unit";
      this.timer = setTimeout(go, single ? STEP / 3 : STEP);
    };
    go();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = null;
    at("walk-play").textContent = "▶ Walk";
  }

  /** How many units are computed by now, again and again counted. */
  get computed() {
    return this.steps.slice(0, this.done).reduce((sum, { units }) => sum + units.length, 0);
  }

  /** The variables that are known: how many. */
  get known() {
    return this.steps.slice(0, this.done).reduce((most, { variable }) => Math.max(most, variable), 0);
  }

  /** "now" or "lit" for every hidden unit that is computed by now: [layer][unit]. */
  get lights() {
    const found = [{}, {}];
    this.steps.slice(0, this.done).forEach(({ units }, step) => {
      for (const [layer, unit] of units) found[layer][unit] = step === this.done - 1 ? "now" : "lit";
    });
    return found;
  }
}

function describe(session, walk) {
  const { network } = session;
  const isMade = network.kind === "made";
  const isFree = network.kind === "velocity";
  const hidden = covered(session, "count") && isMade;
  at("masks-said").textContent = !isMade
    ? isFree ? "a velocity needs none" : `a coupling keeps ${network.kept} of ${network.variables}`
    : hidden ? "how many are left?" : `${network.kept} of ${network.all} connections`;
  const walked = !isMade
    ? isFree
      ? "Each velocity may depend on every coordinate, and on t: the divergence stands in for a triangle's determinant."
      : "Grey: kept as they are. Coloured: they change, and each may depend on all that are kept. Both directions are one pass."
    : walk.done
      ? `Computed ${walk.computed}${covered(session, "walk") ? "" : ` of ${network.walk.computed}`} hidden units; known: ${known(walk)}.`
      : "Each block is a mask: rows are read, columns are computed. The number in a unit is its degree.";
  at("walk-said").textContent = walked;
  at("masks").setAttribute("aria-label", isMade
    ? `Masks of a MADE of ${network.variables} variables with ${hiddenOf(network)}. ${at("masks-said").textContent}.`
    : isFree
      ? `A velocity of ${network.variables} variables: each reads all.`
      : `A coupling of ${network.variables} variables: ${network.kept} are kept.`);
}

const hiddenOf = ({ layers }) => (layers.length > 1 ? `two hidden layers of ${layers[0].columns} units` : "no hidden units");
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const known = (walk) =>
  walk.known === 0 ? "nothing" : Array.from({ length: walk.known }, (_, i) => `x${SUBSCRIPTS[i + 1]}`).join(" ");

// ------------------------------------------------------------ pictures

function made(network) {
  const { layers, variables } = network;
  return {
    gaps: layers.length - 1,
    columns: layers.reduce((sum, { columns }) => sum + columns + 1, 0),
    rows: Math.max(...layers.map(({ rows }) => rows)) + 1.3,
    draw: (context, cell, walk) => {
      const { lights } = walk;
      let x = EDGE * cell;
      layers.forEach((layer, k) => {
        drawMask(context, layer, x, cell, variables, {
          row: (i) => (k === 0 ? inputState(walk, layer.from[i]) : lights[k - 1][i]),
          column: (j) => (k === layers.length - 1 ? inputState(walk, layer.to[j]) : lights[k][j]),
          walks: walk.done > 0,
        });
        x += (layer.columns + 1) * cell + GAP;
      });
    },
  };
}

const inputState = (walk, degree) => (walk.known >= degree ? "lit" : "");

function drawMask(context, layer, x, cell, most, states) {
  const { faint } = colours();
  const top = 1.3 * cell;
  const edge = cell > 4 ? 1 : 0;
  for (let j = 0; j < layer.columns; j++) {
    unit(context, x + (j + 1) * cell, 0, cell, layer.to[j], most, states.column(j), states.walks);
  }
  for (let i = 0; i < layer.rows; i++) {
    unit(context, x - EDGE * cell, top + i * cell, cell, layer.from[i], most, states.row(i), states.walks);
  }
  // One path for each degree (0: no connection), since a wide network has very many cells.
  for (let degree = 0; degree <= most; degree++) {
    context.fillStyle = degree ? degreeColour(degree, most) : faint;
    context.beginPath();
    layer.mask.forEach((on, place) => {
      const [i, j] = [Math.floor(place / layer.columns), place % layer.columns];
      if ((on ? layer.to[j] : 0) !== degree) return;
      context.rect(x + (j + 1) * cell, top + i * cell, cell - edge, cell - edge);
    });
    context.fill();
  }
}

// A unit: pale until it is computed, framed while it is.
function unit(context, x, y, cell, degree, most, state, walks) {
  const { ink, faint, muted, sheet } = colours();
  const size = cell - (cell > 4 ? 1 : 0);
  const lit = !walks || state;
  context.fillStyle = lit ? degreeColour(degree, most) : faint;
  context.beginPath();
  context.roundRect(x, y, size, size, cell / 3);
  context.fill();
  if (state === "now" && walks) {
    context.strokeStyle = ink;
    context.lineWidth = Math.min(2.5, cell / 3);
    context.stroke();
  }
  if (cell < 10) return;
  context.fillStyle = lit && degree > most / 2 ? sheet : lit ? ink : muted;
  context.font = `${Math.floor(cell * 0.68)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(degree, x + size / 2, y + size / 2 + 0.5);
}

function coupling(network) {
  const { variables, kept, reach } = network;
  return {
    gaps: 0,
    columns: variables + 1,
    rows: variables + 1.3,
    draw: (context, cell) => {
      const { faint, dot } = colours();
      for (let i = 0; i < variables; i++) {
        label(context, `x${SUBSCRIPTS[i + 1]}`, (i + 1.5) * cell, 0.6 * cell, cell);
        label(context, `z${SUBSCRIPTS[i + 1]}`, 0.4 * cell, (i + 1.8) * cell, cell);
        for (let j = 0; j < variables; j++) {
          const on = reach[i * variables + j];
          context.fillStyle = on ? degreeColour(2, 3) : i !== j ? faint : i < kept ? dot : degreeColour(3, 3);
          context.fillRect((j + 1) * cell, (i + 1.3) * cell, cell - 1, cell - 1);
        }
      }
    },
  };
}

function label(context, text, x, y, cell) {
  context.fillStyle = colours().muted;
  context.font = `${Math.min(12, cell)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y);
}
