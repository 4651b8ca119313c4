// The flow of the first page: trained by flowcore (docs/builder/front_door.py), run here without it.
// The page shows the data and asks where the flow will put mass beside them. After a click, or on "Show
// me", the density is shaded. Then "Play" carries dots and grid lines of the base through the layers.
// Where less motion is wanted, the density is there at once; without this file, the page has no such figure.

const REACH = 3; // of the grid in the base, on both sides
const LINES = 13;
const DOTS = 161; // on a line
const CLOUD = 900;
const SECONDS = 4.8; // from the base to the density: below five, so nobody needs a button to stop it
const SHADING = 2; // at the end, in the time of a map
const MARGIN = 1.3; // a frame has room around nearly all dots
const COLUMNS = 200; // of cells, in which the density is computed
const CELLS = 200; // in one frame of the motion, before they are shown: all at once would stop it
const NOISE = 0.05; // of the moons
const NEAR = 0.1; // a click finds what is so near to it
const AWAY = 4 * NOISE; // from a moon's arc: there are no data
const DENSE = 0.05; // of the flow's largest density: this can be seen
const DOT = { light: "#3d4a55", dark: "#c8d1d8" };
const LIGHT = ["#00798c", "#d1700f"];
const DARK = ["#2fb4c6", "#f0963a"];
const DENSITY = { light: [58, 84, 190], dark: [126, 161, 245] };

/** Shift and log-scale of a layer's second coordinate, given the first in x. */
function conditioned({ in: [w, b], out }, bound, known) {
  let [mu, raw] = [out[0][1], out[1][1]];
  for (let j = 0; j < w.length; j++) {
    const h = Math.tanh(w[j] * known + b[j]);
    mu += out[0][0][j] * h;
    raw += out[1][0][j] * h;
  }
  return [mu, bound * Math.tanh(raw / bound)];
}

/** One layer of the MAF, z -> x, for points [x, y, x, y, ...]. */
function layer(one, bound, z) {
  const { first, shift, log_scale } = one;
  const x = new Float64Array(z.length);
  for (let i = 0; i < z.length; i += 2) {
    const known = shift + Math.exp(log_scale) * z[i + first];
    const [mu, log_sigma] = conditioned(one, bound, known);
    x[i + first] = known;
    x[i + 1 - first] = mu + Math.exp(log_sigma) * z[i + 1 - first];
  }
  return x;
}

/** The points in the base, after each layer, and in the data's units: a list of arrays. */
export function stages({ layers, bound, mean, scale }, z) {
  const found = [Float64Array.from(z)];
  for (const one of layers) found.push(layer(one, bound, found.at(-1)));
  found.push(found.at(-1).map((v, i) => mean[i % 2] + scale[i % 2] * v));
  return found;
}

/** log p of a point in the data's units, in nats: back through the layers, log-determinants taken off. */
export function logProb({ layers, bound, mean, scale }, x) {
  const z = x.map((v, axis) => (v - mean[axis]) / scale[axis]);
  let log_p = -Math.log(2 * Math.PI * scale[0] * scale[1]);
  for (const one of layers.toReversed()) {
    const { first, shift, log_scale } = one;
    const [mu, log_sigma] = conditioned(one, bound, z[first]);
    z[first] = (z[first] - shift) / Math.exp(log_scale);
    z[1 - first] = (z[1 - first] - mu) / Math.exp(log_sigma);
    log_p -= log_scale + log_sigma;
  }
  return log_p - (z[0] ** 2 + z[1] ** 2) / 2;
}

// ------------------------------------------------------------ what is carried

const FIRST_OF_CLOUD = 4 * LINES * DOTS; // in a list x, y, x, y, ...

// 2 LINES lines, upright ones first; then the dots.
export function ofTheBase() {
  const place = (i, n) => -REACH + (2 * REACH * i) / (n - 1);
  const points = [];
  for (const upright of [true, false]) {
    for (let line = 0; line < LINES; line++) {
      for (let dot = 0; dot < DOTS; dot++) {
        const [fixed, free] = [place(line, LINES), place(dot, DOTS)];
        points.push(...(upright ? [fixed, free] : [free, fixed]));
      }
    }
  }
  const uniform = seeded(4);
  for (let i = 0; i < CLOUD; i++) {
    const [r, angle] = [Math.sqrt(-2 * Math.log(1 - uniform())), 2 * Math.PI * uniform()];
    points.push(r * Math.cos(angle), r * Math.sin(angle));
  }
  return points;
}

// Two moons, as the flow learned them.
function theData() {
  const uniform = seeded(5);
  const noise = () => NOISE * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: CLOUD }, () => {
    const [t, upper] = [Math.PI * uniform(), uniform() < 0.5];
    return [(upper ? Math.cos(t) : 1 - Math.cos(t)) + noise(), (upper ? Math.sin(t) : 0.5 - Math.sin(t)) + noise()];
  });
}

/** How far a place is from both arcs: half a turn about (1/2, 1/4) exchanges them. */
function distance([x, y]) {
  const fromArc = (u, v) => (v > 0 ? Math.abs(Math.hypot(u, v) - 1) : Math.hypot(Math.abs(u) - 1, v));
  return Math.min(fromArc(x, y), fromArc(1 - x, 0.5 - y));
}

/** Whether a click is on the "data", on "mass" beside them, or on "neither"; `most`: the largest density. */
export function judged(flow, most, [x, y]) {
  const steps = Array.from({ length: 11 }, (_, k) => (NEAR * (k - 5)) / 5);
  const around = steps.flatMap((dx) => steps.map((dy) => [x + dx, y + dy]));
  const found = around.some((one) => distance(one) > AWAY && Math.exp(logProb(flow, one)) > DENSE * most);
  return found ? "mass" : distance([x, y]) < AWAY ? "data" : "neither";
}

// mulberry32: the same dots on every visit
const seeded = (state) => () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};

// ------------------------------------------------------------ the picture

const between = (a, b, t) => a + (b - a) * t;
const isDark = () => document.documentElement.dataset.theme === "dark";

class Picture {
  constructor(canvas, flow) {
    this.canvas = canvas;
    this.stages = stages(flow, ofTheBase());
    this.frames = this.stages.map(frameOf);
    this.last = this.stages.length - 1;
    this.shade = new Shade(flow, this.frames.at(-1));
    this.end = this.last + SHADING;
    this.place = null; // between which stages: from 0 to the last; then the density is shaded, to the end
    this.data = theData(); // what is shown before a place is chosen
    this.clicked = null;
  }

  /** A place of the canvas, in the data's units. */
  at(x, y) {
    const { canvas, frames } = this;
    const [left, right, bottom, top] = frames.at(-1);
    const unit = Math.min(canvas.clientWidth / (right - left), canvas.clientHeight / (top - bottom));
    return [(left + right) / 2 + (x - canvas.clientWidth / 2) / unit, (bottom + top) / 2 - (y - canvas.clientHeight / 2) / unit];
  }

  /** What is shown, in words. */
  get label() {
    const { place, last } = this;
    const k = Math.round(place);
    if (place > last) return "density p(x)";
    return k === 0 ? "noise" : k === last ? "rescaled" : `after layer ${k} of ${last - 1}`;
  }

  draw() {
    const { canvas, stages, last } = this;
    const place = this.place ?? last;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const k = Math.min(Math.floor(place), last - 1);
    const t = Math.min(1, place - k);
    const [left, right, bottom, top] = this.frames[k].map((v, side) => between(v, this.frames[k + 1][side], t));
    const unit = Math.min(width / (right - left), height / (top - bottom));
    const toX = (v) => width / 2 + unit * (v - (left + right) / 2);
    const toY = (v) => height / 2 - unit * (v - (bottom + top) / 2);
    const x = (i) => toX(between(stages[k][i], stages[k + 1][i], t));
    const y = (i) => toY(between(stages[k][i + 1], stages[k + 1][i + 1], t));
    const shaded = Math.max(0, (place - last) / SHADING);
    if (shaded) {
      context.globalAlpha = shaded;
      const image = this.shade.image(DENSITY[isDark() ? "dark" : "light"]);
      context.drawImage(image, toX(left), toY(top), unit * (right - left), unit * (top - bottom));
    } else this.shade.grow(CELLS);
    const radius = Math.min(1.8, width / 350);
    if (this.place === null) return this.drawDots(context, this.data.map(([a, b]) => [toX(a), toY(b)]), radius, 1);
    this.drawGrid(context, x, y, 0.6 - 0.45 * shaded);
    const cloud = Array.from({ length: CLOUD }, (_, i) => FIRST_OF_CLOUD + 2 * i);
    this.drawDots(context, cloud.map((i) => [x(i), y(i)]), radius, 1 - 0.6 * shaded);
    if (!this.clicked || shaded < 1) return;
    context.globalAlpha = 1;
    context.strokeStyle = (isDark() ? DARK : LIGHT)[1];
    context.lineWidth = 3;
    context.beginPath();
    context.arc(toX(this.clicked[0]), toY(this.clicked[1]), unit * NEAR, 0, 7);
    context.stroke();
  }

  drawGrid(context, x, y, alpha) {
    context.lineWidth = 1;
    context.globalAlpha = alpha;
    for (const [family, colour] of (isDark() ? DARK : LIGHT).entries()) {
      context.strokeStyle = colour;
      context.beginPath();
      for (let line = family * LINES; line < (family + 1) * LINES; line++) {
        for (let dot = 0; dot < DOTS; dot++) {
          const i = 2 * (line * DOTS + dot);
          context[dot ? "lineTo" : "moveTo"](x(i), y(i));
        }
      }
      context.stroke();
    }
  }

  drawDots(context, places, radius, alpha) {
    context.globalAlpha = alpha;
    context.fillStyle = isDark() ? DOT.dark : DOT.light;
    context.beginPath();
    for (const [x, y] of places) {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 7);
    }
    context.fill();
  }
}

// The density over a frame, as a small canvas.
class Shade {
  constructor(flow, [left, right, bottom, top]) {
    const size = (right - left) / COLUMNS;
    this.rows = Math.round((top - bottom) / size);
    this.p = [];
    this.next = () => {
      const [row, column] = [Math.floor(this.p.length / COLUMNS), this.p.length % COLUMNS];
      return Math.exp(logProb(flow, [left + size * (column + 0.5), top - size * (row + 0.5)]));
    };
  }

  /** Compute so many cells more. */
  get most() {
    this.grow(Infinity);
    return this.p.reduce((a, b) => Math.max(a, b));
  }

  grow(cells) {
    const all = this.rows * COLUMNS;
    for (let i = 0; i < cells && this.p.length < all; i++) this.p.push(this.next());
  }

  /** Of a colour, whose opacity is the root of p / max p: linear, it would show the ridges only. */
  image(colour) {
    const { most } = this;
    const image = new ImageData(COLUMNS, this.rows);
    this.p.forEach((p, i) => image.data.set([...colour, 255 * Math.sqrt(p / most)], 4 * i));
    const canvas = Object.assign(document.createElement("canvas"), { width: COLUMNS, height: this.rows });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }
}

// [left, right, bottom, top] of nearly all dots of a stage, with a margin.
export function frameOf(points) {
  return [0, 1].flatMap((axis) => {
    const values = points.filter((_, i) => i >= FIRST_OF_CLOUD && i % 2 === axis).sort();
    const [low, high] = [0.004, 0.996].map((share) => values[Math.round(share * (values.length - 1))]);
    const half = (MARGIN * (high - low)) / 2;
    return [(low + high) / 2 - half, (low + high) / 2 + half];
  });
}

const eased = (t) => {
  const u = t % 1; // slow at both ends of every layer
  return t - u + u * u * (3 - 2 * u);
};

const VERDICTS = {
  mass: "Yes: there is mass here, and the data have none.",
  data: "Here are data. Look beside them: a thin strand leads from one moon to the other.",
  neither: "Hardly any mass is here. Look between the moons: a thin strand leads from one to the other.",
  shown: "Look between the moons: a thin strand leads from one to the other.",
};

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

function show(figure, flow) {
  figure.hidden = false;
  const parts = ["canvas", "button", "input", ".stage", "output"];
  const [canvas, button, slider, label, answer] = parts.map((one) => figure.querySelector(one));
  const picture = new Picture(canvas, flow);
  slider.max = picture.end;
  let running = 0;

  /** What a click finds; null: nobody has clicked. */
  function reveal(clicked) {
    picture.clicked = clicked;
    answer.textContent = VERDICTS[clicked ? judged(flow, picture.shade.most, clicked) : "shown"];
    figure.querySelector(".because").hidden = slider.hidden = false;
    slider.value = picture.last;
    stop();
    if (still) moveTo(picture.end);
    else play();
  }

  function moveTo(place) {
    picture.place = place;
    slider.value = place;
    label.textContent = picture.label;
    slider.setAttribute("aria-valuetext", picture.label);
    picture.draw();
  }

  function stop() {
    cancelAnimationFrame(running);
    running = 0;
    button.textContent = "Play";
  }

  function play() {
    const from = slider.value >= picture.end ? 0 : Number(slider.value);
    let begin = null;
    button.textContent = "Stop";
    const step = (now) => {
      begin ??= now;
      const place = Math.min(picture.end, from + ((now - begin) / 1000 / SECONDS) * picture.end);
      moveTo(place < picture.last ? eased(place) : place);
      if (place < picture.end) running = requestAnimationFrame(step);
      else stop();
    };
    running = requestAnimationFrame(step);
  }

  button.addEventListener("click", () => (picture.place === null ? reveal(null) : running ? stop() : play()));
  canvas.addEventListener("click", ({ offsetX, offsetY }) => reveal(picture.at(offsetX, offsetY)));
  slider.addEventListener("input", () => {
    stop();
    moveTo(Number(slider.value));
  });
  new ResizeObserver(() => picture.draw()).observe(canvas);
  new MutationObserver(() => picture.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  picture.draw();
  figure.dataset.askedAfter = performance.now().toFixed(0); // ms from navigation
}

const figure = document.querySelector("figure.learned");
if (figure) {
  const reply = await fetch(new URL("front_door.json", import.meta.url));
  if (reply.ok) show(figure, await reply.json());
}
