// Graphile Worker, a job queue without replay, as a reference for what Postgres gives a queue: a "workflow" is a chain of
// jobs, each of which adds the next. Tuned as its page on performance has it. It keeps no results: the client is told in
// process.

import { Logger, makeWorkerUtils, run, WorkerPreset } from "graphile-worker";
import { inFlight, memoryInUse, wait } from "../../measure.ts";

const CONCURRENCY = 24;
const POOL = 25;
const TEXT = "x".repeat(80);

const bodyTimes = new Map();
const ended = new Map();
const lateness = [];

const taskList = {
  async step({ id, left, value }, { addJob }) {
    bodyTimes.get(id)?.push(performance.now());
    if (left > 1) return void (await addJob("step", { id, left: left - 1, value: value + 1, text: TEXT }));
    ended.get(id)?.();
    ended.delete(id);
  },
  async woke({ dueAt }) {
    lateness.push(Date.now() - dueAt);
  },
};

const endOf = (id) => new Promise((resolve) => ended.set(id, resolve));

export default function graphileWorker({ databaseUrl }) {
  let runner;
  let tools;
  const job = (id, count) => ({ id, left: count, value: 0, text: TEXT });
  return {
    name: "graphile-worker",
    unable: {
      "fan-out": "a queue: nothing joins jobs",
      signals: "a queue: nothing waits inside a job",
    },
    async start() {
      const logger = new Logger(() => (level, message) => {
        if (level === "error" || level === "warning") console.error(message);
      });
      const preset = {
        extends: [WorkerPreset],
        worker: {
          connectionString: databaseUrl,
          concurrentJobs: CONCURRENCY,
          maxPoolSize: POOL,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
          logger,
        },
      };
      tools = await makeWorkerUtils({ preset });
      await tools.migrate();
      runner = await run({ preset, taskList, noHandleSignals: true });
    },
    async stop() {
      await runner.stop();
      await tools.release();
    },
    async runSteps(id, count) {
      const end = endOf(id);
      await tools.addJob("step", job(id, count));
      await end;
    },
    async runMany(prefix, count, each) {
      const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
      const ends = ids.map(endOf);
      await tools.addJobs(ids.map((id) => ({ identifier: "step", payload: job(id, each) })));
      await Promise.all(ends);
    },
    async stepTimes(id, count) {
      const times = [];
      bodyTimes.set(id, times);
      await this.runSteps(id, count);
      bodyTimes.delete(id);
      return times;
    },
    async startSleepers(_prefix, count, dueAt) {
      lateness.length = 0;
      const before = memoryInUse();
      await tools.addJobs(
        Array.from({ length: count }, (_, index) => ({
          identifier: "woke",
          payload: { dueAt: dueAt(index) },
          runAt: new Date(dueAt(index)),
        })),
      );
      return {
        async asleep() {
          await wait(1_000);
          return (memoryInUse() - before) / count;
        },
        async woken() {
          while (lateness.length < count) await wait(50);
          return [...lateness];
        },
      };
    },
    async startOnly(prefix, count, most) {
      await inFlight(count, most, (index) => tools.addJob("untouched", { id: `${prefix}-${index}` }));
    },
    async startBatch(prefix, count) {
      await tools.addJobs(
        Array.from({ length: count }, (_, index) => ({
          identifier: "untouched",
          payload: { id: `${prefix}-${index}` },
        })),
      );
    },
  };
}
