// The page's side of the Worker: ask for something, get a promise of it.
//
//     const engine = new Engine({ settings, onLoading });
//     await engine.ready;
//     const { step } = await engine.call("train", { seconds: 0.05, steps: 100 });
//
// A mistake of the user's rejects with a `Mistake`, whose message names what to do. An engine that is
// stopped, because a cell of Python never ends, is gone: make a new one.
//
// `Engine.shared(base, onLoading)` is a promise of the one engine of a page, once it is ready: a lesson's
// questions and the Flow Bench in its frame use the same. `base` is the folder of this file.

export class Mistake extends Error {
  constructor(message) {
    super(message);
    this.name = "Mistake"; // `instanceof` fails between a frame and its page
  }
}

export class Engine {
  static async shared(base, onLoading = () => {}) {
    if (!globalThis.flowcoreEngine?.works) {
      const reply = await fetch(new URL("settings.json", base));
      if (!reply.ok) throw new Error(`settings.json could not be loaded: the server answers ${reply.status}`);
      const settings = await reply.json();
      if (!globalThis.flowcoreEngine?.works) globalThis.flowcoreEngine = new Engine({ settings });
    }
    const engine = globalThis.flowcoreEngine;
    engine.listeners.push(onLoading);
    await engine.ready.catch((problem) => {
      engine.stop(problem.message);
      throw problem;
    });
    return engine;
  }

  constructor({ settings, onLoading }) {
    this.works = true;
    this.listeners = onLoading ? [onLoading] : [];
    this.waiting = new Map();
    this.last = 0;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.loading) this.listeners.forEach((listener) => listener(data));
      else this.settle(data);
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.stop(event.message || "the Worker could not be started");
    };
    this.ready = this.send({ start: settings });
  }

  async call(name, args = {}) {
    await this.ready;
    const result = await this.send({ call: name, args });
    if (result.error) throw new Mistake(result.error);
    return result;
  }

  send(message) {
    if (!this.works) return Promise.reject(new Error("Python was stopped"));
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, ...message });
    });
  }

  settle({ id, result, failed }) {
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (failed === undefined) resolve(result);
    else reject(new Error(failed));
  }

  // Rejects every waiting call with the reason.
  stop(why = "stopped") {
    this.works = false;
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Error(why));
    this.waiting.clear();
  }
}
