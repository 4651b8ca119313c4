// Data and density: what is known, what the flow has made of it, and what somebody drew over it.

import { at } from "./dom.js";
import { pair, tidy } from "./numbers.js";
import { isOpen } from "./prediction.js";
import { Sheet } from "./sheet.js";
import { colours } from "./theme.js";

const NEAR = 30; // pixels: who touches the point drags it; elsewhere a finger scrolls the page

export class DensityPicture {
  constructor(session, ink) {
    this.session = session;
    this.ink = ink;
    this.shown = "flow";
    this.tool = this.pointTool();
    this.sheet = new Sheet(at("density"), () => this.draw());
    this.listen();
    session.on("look built point prediction", () => this.sheet.redraw());
    session.on("paused", () => this.describe());
    session.on("built", () => this.showChoice());
    session.on("built", () => session.built || (at("density-said").textContent = ""));
    for (const id of ["show-flow", "show-truth"]) at(id).addEventListener("change", () => this.choose(at(id).value));
  }

  /** What the pointer and the keys do here: move the point, draw, or paint. */
  use(tool) {
    this.tool = tool ?? this.pointTool();
    at("density").classList.toggle("drawn-on", Boolean(tool));
    at("density-help").textContent = this.tool.help;
    this.sheet.redraw();
  }

  async choose(shown) {
    if (shown === "truth" && !(await this.session.askTruth())) return;
    this.shown = shown;
    this.sheet.redraw();
    this.describe();
  }

  showChoice() {
    const known = Boolean(this.session.built?.known);
    at("show-truth").disabled = !known;
    if (!known || this.shown === "truth") {
      at("show-flow").checked = true;
      this.shown = "flow";
    }
  }

  // ---------------------------------------------------------- drawing

  draw() {
    const { sheet, session, tool } = this;
    const { built, look, at: point, prediction } = session;
    sheet.frame = tool.frame?.() ?? built?.frame ?? sheet.frame;
    const painting = Boolean(tool.frame);
    const density = this.shown === "truth" ? session.truth : look;
    sheet.inside((context) => {
      if (density?.density && !painting) {
        const most = density.density.reduce((a, b) => (b > a ? b : a), 0);
        // Under a drawing that has only begun, the old bell steps back.
        context.globalAlpha = prediction.compare === "drawing" && prediction.phase === "asking" ? 0.35 : 1;
        sheet.raster(density.density, density.size, most || 1);
        context.globalAlpha = 1;
      }
      if (!built && !painting && session.state && session.missing === "table") invite(sheet, context, "Drop a CSV file here");
      if (built && !painting) sheet.dots(built.shown, 1.5, colours().dot, 0.5);
      if (prediction.compare === "drawing" && isOpen(prediction)) this.ink.paint(sheet, context, prediction.phase);
      else if (prediction.ink) this.ink.outline(sheet, context, prediction.ink);
      tool.paint?.(sheet, context);
      if (point && tool.isPoint) sheet.mark(session.point, 7);
    });
    sheet.axes(built && !painting ? built.columns : ["x1", "x2"]);
  }

  describe() {
    const { session } = this;
    const { built, look } = session;
    if (!built || !look) return;
    const what = built.known ? `KL ${tidy(look.kl)} nats` : `held-out NLL ${tidy(look.nll)} nats`;
    const shows = this.shown === "truth" ? "the true density" : `the flow's density after ${session.step} steps, ${what}`;
    at("density").setAttribute("aria-label", `Data and density: ${shows}. ${this.tool.label?.() ?? ""}`);
    at("density-said").textContent = built.rows ? `${built.rows} points` : "fresh points";
  }

  // ---------------------------------------------------------- pointer and keys

  listen() {
    const canvas = at("density");
    let down = false;
    let tap = null; // where a finger has come down, far from the point: to tap, or to scroll
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !this.tool.ready()) return;
      const place = this.sheet.placeOf(event);
      if (event.pointerType === "touch" && this.tool.isPoint && !this.isNear(event)) {
        tap = place;
        return;
      }
      down = true;
      canvas.setPointerCapture(event.pointerId);
      this.tool.start(place, event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!down) return;
      for (const one of event.getCoalescedEvents?.() ?? [event]) this.tool.move(this.sheet.placeOf(one));
    });
    const end = () => {
      if (down) this.tool.end();
      down = false;
    };
    canvas.addEventListener("pointerup", () => {
      if (tap) this.tool.start(tap);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, () => {
        tap = null;
        end();
      });
    }
    canvas.addEventListener("touchstart", (event) => {
      if (!this.tool.isPoint || this.isNear(event.touches[0])) event.preventDefault();
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.tool.ready()) return;
      if (this.tool.key(event)) event.preventDefault();
    });
  }

  isNear(event) {
    if (!this.session.built) return false;
    const rect = at("density").getBoundingClientRect();
    const [x, y] = this.session.point;
    return Math.hypot(event.clientX - rect.left - this.sheet.x(x), event.clientY - rect.top - this.sheet.y(y)) < NEAR;
  }

  pointTool() {
    const { session } = this;
    const go = (place) => {
      session.movePoint(place);
      this.sheet.redraw();
    };
    return {
      isPoint: true,
      help: "Arrow keys move the point; with Shift in larger steps.",
      label: () => `The point is at ${pair(session.point)}.`,
      ready: () => Boolean(session.built),
      start: go,
      move: go,
      end: () => {},
      key: (event) => {
        const by = arrow(event);
        if (!by) return false;
        const [left, right] = session.built.frame;
        const step = ((right - left) / 80) * (event.shiftKey ? 5 : 1);
        go(session.point.map((v, i) => v + step * by[i]));
        return true;
      },
    };
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Which way an arrow key points, or undefined. */
export const arrow = (event) => ARROWS[event.key];

/** What to do here, in the middle of an empty picture. */
export function invite({ box }, context, text) {
  context.fillStyle = colours().muted;
  context.font = "15px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, box.x + box.width / 2, box.y + box.height / 2);
}
