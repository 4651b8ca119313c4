// Points that are painted by hand: each move sprays a few, on the lattice that a link can hold.

import { arrow, invite } from "./density.js";
import { at } from "./dom.js";
import { crosshair } from "./ink.js";
import { clamp } from "./numbers.js";
import { MOST_PAINTED, SIDE, onLattice } from "./state.js";
import { colours } from "./theme.js";

export const FEWEST = 20;
const SPRAY = 3; // points a move
const SPREAD = 0.1; // their standard deviation
const APART = 0.08; // how far a brush moves before it sprays again

export class Painting {
  /** changed: called after every stroke; use: called when it is to be learned. */
  constructor(session, { changed }) {
    this.session = session;
    this.changed = changed;
    this.points = []; // x, y, x, y, ...
    this.open = false; // whether one can paint now
    this.cursor = null;
    this.last = null; // where it sprayed last
    at("paint-clear").addEventListener("click", () => this.clear());
    at("paint-use").addEventListener("click", () => this.use());
    at("paint-more").addEventListener("click", () => this.reopen());
    session.on("state", ({ before, opened }) => this.follow(before, opened));
  }

  // What a link brings is shown; with nothing yet, one can paint.
  follow(before, opened) {
    const { state } = this.session;
    if (state.data !== "painted") this.open = false;
    else if (opened || before.data !== "painted") {
      if (state.painted) this.points = [...state.painted];
      this.open = this.count < FEWEST || !state.painted;
    }
    this.show();
  }

  get count() {
    return this.points.length / 2;
  }

  show() {
    at("paint-count").textContent = this.count;
    at("paint-use").hidden = !this.open;
    at("paint-clear").hidden = !this.open;
    at("paint-more").hidden = this.open;
    at("paint-use").disabled = this.count < FEWEST;
    at("paint-use").title = this.count < FEWEST ? `At least ${FEWEST} points are needed.` : "";
    this.changed();
  }

  clear() {
    this.points = [];
    this.show();
  }

  /** Learn from them. */
  async use() {
    if (this.count < FEWEST) return;
    this.open = false;
    this.show();
    await this.session.change({ data: "painted", painted: [...this.points] });
    // The same points as before are no other flow, but the picture is.
    this.session.emit("look");
  }

  reopen() {
    this.session.pause();
    this.open = true;
    this.show();
  }

  get tool() {
    return {
      frame: () => [-SIDE, SIDE, -SIDE, SIDE],
      help: "Arrow keys move the cursor, and the space bar sprays points there. Then press: Use them.",
      label: () => `You are painting points: ${this.count} of at most ${MOST_PAINTED}.`,
      ready: () => true,
      start: (place) => this.spray(place),
      move: (place) => {
        if (!this.last || Math.hypot(place[0] - this.last[0], place[1] - this.last[1]) > APART) this.spray(place);
      },
      end: () => (this.last = null),
      key: (event) => this.key(event),
      paint: (sheet, context) => this.paint(sheet, context),
    };
  }

  spray(place) {
    this.last = place;
    for (let i = 0; i < SPRAY && this.count < MOST_PAINTED; i++) {
      this.points.push(...place.map((v) => onLattice(v + SPREAD * normal())));
    }
    this.show();
  }

  key(event) {
    const by = arrow(event);
    if (!by && event.key !== " ") return false;
    this.cursor ??= [0, 0];
    if (by) {
      const step = event.shiftKey ? 0.5 : 0.1;
      this.cursor = this.cursor.map((v, i) => clamp(v + step * by[i], -SIDE, SIDE));
      this.changed();
    } else this.spray(this.cursor);
    return true;
  }

  paint(sheet, context) {
    sheet.dots(this.points, 2.2, colours().ink, 0.7);
    if (!this.points.length) invite(sheet, context, "Paint points here");
    if (this.cursor && document.activeElement === sheet.canvas) {
      crosshair(context, sheet.x(this.cursor[0]), sheet.y(this.cursor[1]));
    }
  }
}

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
