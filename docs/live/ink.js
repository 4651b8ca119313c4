// A density that is drawn by hand, on cells over the frame of the data: brush, eraser, keys.

import { at } from "./dom.js";
import { contours } from "./contours.js";
import { arrow } from "./density.js";
import { clamp } from "./numbers.js";
import { colours, rgb } from "./theme.js";

const REACH = 2.1; // of the brush, in cells
const FLOW = 0.07; // of ink, at the middle of the brush, for each cell of its way: a stroke is faint
const LEVEL = 0.3; // of the darkest cell: where the outline of a drawing runs

export class Ink {
  /** changed: called after every stroke. */
  constructor(session, changed) {
    this.session = session;
    this.changed = changed;
    this.side = 40;
    this.cells = new Float32Array(this.side ** 2); // the top row first
    this.erases = false;
    this.cursor = null; // column and row, once a key was pressed
    this.from = null; // where the stroke has come from
    for (const [id, erases] of [["brush", false], ["eraser", true]]) {
      at(id).addEventListener("click", () => this.choose(erases));
    }
    at("draw-clear").addEventListener("click", () => this.clear());
    session.on("about", () => this.resize(session.about.side));
  }

  resize(side) {
    this.side = side;
    this.cells = new Float32Array(side ** 2);
  }

  choose(erases) {
    this.erases = erases;
    at("brush").setAttribute("aria-pressed", !erases);
    at("eraser").setAttribute("aria-pressed", erases);
  }

  clear() {
    this.show(null);
  }

  /** A drawing, or null for none. */
  show(cells) {
    if (cells) this.cells.set(cells);
    else this.cells.fill(0);
    this.changed();
  }

  copy() {
    return this.cells.slice();
  }

  get tool() {
    return {
      help: "Arrow keys move the cursor, and the space bar draws there. Brush, eraser and Clear are below.",
      label: () => "You are drawing the density that you expect.",
      ready: () => Boolean(this.session.built),
      start: (place) => this.stroke(place),
      move: (place) => this.stroke(place),
      end: () => (this.from = null),
      key: (event) => this.key(event),
      paint: (sheet, context) => this.paintCursor(sheet, context),
    };
  }

  // ---------------------------------------------------------- strokes

  stroke(place) {
    const [left, right, bottom, top] = this.session.built.frame;
    const to = [
      ((place[0] - left) / (right - left)) * this.side,
      ((top - place[1]) / (top - bottom)) * this.side,
    ];
    const from = this.from ?? to;
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1])));
    for (let i = 1; i <= steps; i++) this.dab(from.map((v, j) => v + ((to[j] - v) * i) / steps));
    this.from = to;
    this.changed();
  }

  dab([column, row]) {
    const { side, cells } = this;
    for (let r = Math.max(0, Math.floor(row - 2 * REACH)); r < Math.min(side, row + 2 * REACH); r++) {
      for (let c = Math.max(0, Math.floor(column - 2 * REACH)); c < Math.min(side, column + 2 * REACH); c++) {
        const far = Math.hypot(c + 0.5 - column, r + 0.5 - row) / REACH;
        const share = Math.exp(-2 * far * far);
        const i = r * side + c;
        if (this.erases) cells[i] = far < 1 ? 0 : cells[i];
        else if (share > 0.02) cells[i] = Math.min(1, cells[i] + FLOW * share);
      }
    }
  }

  key(event) {
    const by = arrow(event);
    if (!by && event.key !== " ") return false;
    this.cursor ??= [this.side / 2, this.side / 2];
    if (by) {
      const step = event.shiftKey ? 5 : 1;
      this.cursor = this.cursor.map((v, i) => clamp(v + step * by[i] * (i ? -1 : 1), 0.5, this.side - 0.5));
    } else this.dab(this.cursor);
    this.changed();
    return true;
  }

  // ---------------------------------------------------------- how it looks

  /** While it is drawn: the ink itself, thinner where there is a trained density to be seen. */
  paint(sheet, context, phase) {
    const { box } = sheet;
    context.imageSmoothingEnabled = true;
    if (phase === "again") {
      context.globalAlpha = 0.45;
      this.outline(sheet, context, this.cells);
    }
    context.drawImage(inkOf(this.cells, this.side), box.x, box.y, box.width, box.height);
    context.globalAlpha = 1;
  }

  /** Once it is fixed: a thin veil and a dashed outline, so that the density is seen. */
  outline(sheet, context, cells) {
    const most = cells.reduce((a, b) => Math.max(a, b), 0);
    if (!most) return;
    const { box } = sheet;
    context.strokeStyle = colours().guess;
    context.lineWidth = 2;
    context.setLineDash([6, 4]);
    context.beginPath();
    for (const line of contours(cells, this.side, LEVEL * most)) {
      line.forEach(([x, y], i) => {
        const place = [box.x + (x / this.side) * box.width, box.y + (y / this.side) * box.height];
        if (i) context.lineTo(...place);
        else context.moveTo(...place);
      });
    }
    context.stroke();
    context.setLineDash([]);
  }

  paintCursor(sheet, context) {
    if (!this.cursor || document.activeElement !== sheet.canvas) return;
    const { box } = sheet;
    const [x, y] = [box.x + (this.cursor[0] / this.side) * box.width, box.y + (this.cursor[1] / this.side) * box.height];
    crosshair(context, x, y);
  }
}

export function crosshair(context, x, y) {
  context.strokeStyle = colours().guess;
  context.lineWidth = 2;
  context.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.moveTo(x + 4 * dx, y + 4 * dy);
    context.lineTo(x + 12 * dx, y + 12 * dy);
  }
  context.stroke();
}

const small = document.createElement("canvas");

function inkOf(cells, side) {
  small.width = small.height = side;
  const context = small.getContext("2d");
  const image = context.createImageData(side, side);
  const colour = rgb(colours().guess);
  cells.forEach((value, i) => image.data.set([...colour, Math.round(190 * value)], 4 * i));
  context.putImageData(image, 0, 0);
  return small;
}
