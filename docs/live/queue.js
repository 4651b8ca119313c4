// One call at a time: Python is one, and what is asked for twice is answered once.

/** The engine is gone, and with it whatever was asked: a newer one is on its way. */
export class Gone extends Error {}

export class Queue {
  constructor(call) {
    this.call = call; // (name, args) -> a promise
    this.jobs = [];
    this.busy = false;
    this.closed = false;
  }

  /** Ask in turn. Of those that wait under one key, only the latest is asked, and answers all. */
  ask(name, args = {}, key = null) {
    if (this.closed) return Promise.reject(new Gone(name));
    const waiting = key && this.jobs.find((job) => job.key === key);
    if (waiting) {
      waiting.args = args;
      return waiting.promise;
    }
    const job = { name, args, key };
    job.promise = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
    this.jobs.push(job);
    this.work();
    return job.promise;
  }

  async work() {
    if (this.busy) return;
    this.busy = true;
    while (this.jobs.length) {
      const job = this.jobs.shift();
      try {
        job.resolve(await this.call(job.name, job.args));
      } catch (problem) {
        job.reject(this.closed ? new Gone(job.name) : problem);
      }
    }
    this.busy = false;
  }

  /** Every call, waiting or later, is rejected: the engine is gone. */
  close() {
    this.closed = true;
    for (const job of this.jobs.splice(0)) job.reject(new Gone(job.name));
  }
}
