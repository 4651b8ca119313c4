// What goes on: the state, the engine, and what the engine has said last. The pictures listen.
//
//     session.on("look", () => draw(session.look))
//
// Events: about, state, built, look, point, network, floor, training, step, paused, prediction,
// loading, failed, note.

import { Desk } from "./desk.js";
import { recall } from "./memory.js";
import { clamp } from "./numbers.js";
import { changed, format, parse, sameFlow, settingsOf, usual } from "./state.js";

const SMALL = 48; // cells of the density while training
const LARGE = 96; // and at rest
const DOTS = { [SMALL]: 49, [LARGE]: 193 }; // on a line of the grid
const QUICK = 0.4; // seconds of a small look: above, a large one is not worth its wait
const SHORTEST = 0.04; // seconds of training between two looks
const LONGEST = 0.15; // or as long as a look takes

const nextFrame = () =>
  new Promise((resolve) => {
    // A hidden page has no frames.
    if (document.hidden) setTimeout(resolve);
    else requestAnimationFrame(resolve);
  });

const gridded = (names) =>
  `${names.join(" and ")} ${names.length > 1 ? "have" : "has"} few distinct values. The likelihood grows with every narrower spike ` +
  "on one of them, so a low loss means little. Add noise to the column, uniform over one step, before you use it.";

export class Session extends Desk {
  constructor() {
    super();
    this.state = null;
    this.built = this.look = this.at = this.network = this.floor = this.truth = null;
    this.table = null; // {text, columns}: Python forgets it when the engine is restarted
    this.step = 0;
    this.loss = null;
    this.start = null; // the distance before the first step
    this.loop = Promise.resolve();
    this.lookSeconds = 0.1;
  }

  /** A new engine, with the same flow, trained as far as the old one. */
  async restart(why) {
    const state = changed(this.state, { steps: this.step });
    this.shut();
    await this.resume(state, why);
  }

  /** Load an engine, and show in it what the one before has shown. */
  async resume(state = this.state, why = "") {
    if (!(await this.open())) return;
    if (!state) return this.openLink();
    if (this.table) await this.ask("read_table", { text: this.table.text, columns: this.table.columns });
    const going = this.go(state);
    if (why) this.emit("note", why);
    await going;
  }

  // ---------------------------------------------------------- the state

  /** Go to the state in the address; what makes no sense in it becomes a note. */
  openLink() {
    const { state, notes } = parse(location.hash, this.about);
    const here = this.state;
    const same = here && here.task === state.task && state.steps === this.step && sameFlow(here, state);
    const going = same ? this.change(state) : this.go(state);
    if (notes.length) this.emit("note", notes.join(" "));
    return going;
  }

  /** Another task, trained as far as its verdict if it has one; Back returns to what is shown now. */
  goTo(task) {
    this.writeNow();
    history.pushState(null, "");
    const kept = recall(task);
    const steps = kept && kept.phase !== "locked" ? kept.steps : 0;
    return this.go(changed(usual(this.about, task, this.state.theme), { steps }));
  }

  /** Show all of a state: its flow, trained for as many steps as it has. */
  async go(state) {
    const before = this.state;
    const { steps } = state;
    this.state = state;
    this.emit("state", { before, opened: true });
    if ((await this.build(steps > 0)) && steps) await this.train(steps);
  }

  /** Change something; if that is another flow, it is built. */
  async change(changes) {
    const before = this.state;
    this.state = changed(before, changes);
    this.emit("state", { before, opened: false });
    if (sameFlow(before, this.state)) this.write();
    else if (sameFlow(changed(before, { method: this.state.method }), this.state)) await this.walkBy();
    else await this.build();
  }

  write() {
    clearTimeout(this.writing);
    // Browsers refuse when the address changes too often.
    this.writing = setTimeout(() => this.writeNow(), 150);
  }

  writeNow() {
    clearTimeout(this.writing);
    if (this.state) history.replaceState(null, "", format(this.state, this.about) || location.pathname + location.search);
  }

  /** Why there is nothing to build yet, or "". */
  get missing() {
    if (this.state.data === "painted" && !(this.state.painted?.length >= 40)) return "painted";
    if (this.state.data === "table" && !this.table) return "table";
    return "";
  }

  /** A new flow for the state; goesOn: it is trained at once. Whether that is what came of it. */
  async build(goesOn = false) {
    const ticket = ++this.ticket;
    this.run = null;
    this.setState("loading");
    await this.loop;
    if (ticket !== this.ticket) return false;
    if (this.missing) {
      this.built = this.look = this.at = this.loss = null;
      this.setStep(0);
      this.setState("ready");
      this.emit("built");
      return false;
    }
    const { state } = this;
    const painted = state.data === "painted" ? { painted: state.painted } : {};
    const built = await this.ask("build", { settings: settingsOf(state), ...painted });
    if (ticket !== this.ticket) return false;
    if (!built) return this.refused();
    this.state = changed(this.state, { steps: 0 });
    this.built = this.start = built;
    this.floor = this.truth = this.look = this.loss = null;
    this.setStep(0);
    this.emit("built");
    await Promise.all([this.refresh(SMALL), this.askNetwork()]);
    if (ticket !== this.ticket) return false;
    this.askFloor(ticket);
    if (goesOn) return true;
    this.setState("ready");
    this.emit("paused");
    this.write();
    if (this.restingSize === LARGE) this.refresh(LARGE);
    return true;
  }

  /** How sharp the pictures are at rest: a large flow would take too long. */
  get restingSize() {
    return this.lookSeconds < QUICK ? LARGE : SMALL;
  }

  // What was on the bench is there still, and so is its picture; a note has given the reason.
  refused() {
    if (document.documentElement.dataset.state !== "failed") this.setState("ready");
    return false;
  }

  async askFloor(ticket) {
    const floor = await this.ask("floor");
    if (floor && ticket === this.ticket) this.emit("floor", (this.floor = floor));
  }

  /** Another method of the sequential direction: nothing that was learned is lost. */
  async walkBy() {
    await this.pause();
    if (this.missing || !(await this.ask("walk_by", { method: this.state.method }))) return;
    await this.askNetwork();
    this.write();
  }

  async askNetwork() {
    const network = await this.ask("network", { variables: this.state.variables }, "network");
    if (network) this.emit("network", (this.network = network));
  }

  async askTruth() {
    if (!this.truth) this.truth = await this.ask("truth", { size: LARGE }, "truth");
    return this.truth;
  }

  async readTable(text, columns = null) {
    const found = await this.ask("read_table", { text, columns });
    if (!found) return;
    this.table = { text, columns: found.chosen, names: found.names, rows: found.rows, of: found.of };
    const before = this.state;
    this.state = changed(before, { data: "table", painted: null });
    this.emit("state", { before, opened: false });
    await this.build();
    if (found.few.length) this.emit("note", gridded(found.few));
  }

  // ---------------------------------------------------------- training

  /** Train until so many steps are done, or until somebody presses pause. */
  train(until = Infinity) {
    if (this.run || !this.built) return this.loop;
    this.loop = this.trainOn(until, this.ticket, (this.run = {}));
    return this.loop;
  }

  async trainOn(until, ticket, run) {
    const here = () => ticket === this.ticket;
    this.setState("training");
    this.emit("training");
    while (here() && this.run === run && this.step < until) {
      const seconds = clamp(3 * this.lookSeconds, SHORTEST, Math.max(LONGEST, this.lookSeconds));
      const done = await this.ask("train", { steps: Math.min(until - this.step, 1000), seconds });
      if (!done || !here()) break;
      this.loss = done.loss;
      this.setStep(done.step);
      if (!document.hidden && this.step < until && this.run === run) await this.refresh(SMALL);
    }
    if (this.run === run) this.run = null;
    if (!here()) return;
    await this.refresh(this.restingSize);
    if (!here()) return;
    this.state = changed(this.state, { steps: this.step });
    this.setState("ready");
    this.emit("training");
    this.emit("paused");
    this.write();
  }

  pause() {
    this.run = null;
    return this.loop;
  }

  startOver() {
    return this.build();
  }

  setStep(step) {
    this.step = step;
    document.documentElement.dataset.step = step;
    this.emit("step");
  }

  setState(name) {
    document.documentElement.dataset.state = name;
  }

  /** The pictures as they are now, and what is shown at the point. */
  async refresh(size) {
    const { ticket } = this;
    const begin = performance.now();
    const look = await this.ask("look", { size, dots: DOTS[size] });
    if (!look || ticket !== this.ticket) return;
    if (size === SMALL) this.lookSeconds = (performance.now() - begin) / 1000;
    const at = await this.ask("point", { x: this.point }, "point");
    if (!at || ticket !== this.ticket) return;
    await nextFrame();
    if (ticket !== this.ticket) return;
    this.look = look;
    this.at = at;
    this.emit("look");
    this.emit("point");
  }

  // ---------------------------------------------------------- the point

  /** The point that is looked at: (0, 0), or what is chosen, or the middle if that is outside. */
  get point() {
    const [left, right, bottom, top] = this.built.frame;
    const [x, y] = this.state.point ?? [0, 0];
    const inside = x >= left && x <= right && y >= bottom && y <= top;
    return inside ? [x, y] : [(left + right) / 2, (bottom + top) / 2];
  }

  async movePoint(point) {
    const [left, right, bottom, top] = this.built.frame;
    const place = [clamp(point[0], left, right), clamp(point[1], bottom, top)];
    this.state = changed(this.state, { point: place.map((v) => +v.toFixed(3)) });
    this.write();
    const { ticket } = this;
    const at = await this.ask("point", { x: this.point }, "point");
    if (!at || ticket !== this.ticket) return;
    this.at = at;
    this.emit("point");
  }
}
