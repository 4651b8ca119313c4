// The page's end of the engine: loading it, asking it, and reporting what fails.

import { Engine } from "./engine.js";
import { Gone, Queue } from "./queue.js";

// In a lesson's frame the page around has the engine, which outlives the frame.
function engineFor(onLoading) {
  let around = null;
  try {
    around = window.parent.flowcorePython;
  } catch {} // the page around is of another site
  return around ? around(onLoading) : Engine.shared(import.meta.url, onLoading);
}

export class Desk {
  constructor() {
    this.listeners = new Map();
    this.about = this.engine = this.queue = null;
    this.run = null; // a token of the training that goes on
    this.ticket = 0; // of the latest flow: answers for an older one are dropped
  }

  on(name, listener) {
    for (const one of name.split(" ")) {
      if (!this.listeners.has(one)) this.listeners.set(one, []);
      this.listeners.get(one).push(listener);
    }
  }

  emit(name, detail) {
    for (const listener of this.listeners.get(name) ?? []) listener(detail);
  }

  /** Load it. What goes wrong is emitted as "failed"; then `open` may be called again. */
  async open() {
    document.documentElement.dataset.state = "loading";
    let what = "its settings";
    try {
      if (typeof WebAssembly !== "object") throw new Error("WebAssembly is missing");
      const onLoading = (report) => this.emit("loading", { ...report, what: (what = report.loading) });
      const engine = await engineFor(onLoading);
      this.engine = engine;
      this.queue = new Queue((name, args) => engine.call(name, args));
      this.about = await this.queue.ask("about");
    } catch (problem) {
      this.fail({ what, why: problem.message, loading: true });
      return false;
    }
    this.emit("about");
    return true;
  }

  shut() {
    this.run = null;
    this.ticket++;
    this.queue?.close();
    this.engine?.stop("Python was stopped on the Flow Bench: check again");
  }

  fail(problem) {
    this.shut();
    document.documentElement.dataset.state = "failed";
    this.emit("failed", problem);
  }

  /** Ask the engine. What the user can mend becomes a note, and null is returned; else it has crashed. */
  async ask(name, args, key) {
    try {
      return await this.queue.ask(name, args, key);
    } catch (problem) {
      if (problem.name === "Mistake") this.emit("note", problem.message.charAt(0).toUpperCase() + problem.message.slice(1));
      else if (!(problem instanceof Gone)) this.fail({ what: name, why: problem.message });
      return null;
    }
  }
}
