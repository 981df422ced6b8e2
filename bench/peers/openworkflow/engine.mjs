// OpenWorkflow: one worker of 128 runs and a pool of 20, where it was fastest. Its worker polls with a backoff of up to
// a second and its client asks for a result once a second; neither can be set.

import { OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import postgres from "postgres";
import { inFlight, memoryInUse, wait } from "../../measure.ts";

const POOL = 20;
const CONCURRENCY = 128;
const STARTS_IN_FLIGHT = 64;
const TEXT = "x".repeat(80);

const bodyTimes = new Map();
const replies = new Map();
const asleep = new Set();
const lateness = [];

function defineWorkflows(openWorkflow) {
  const steps = openWorkflow.defineWorkflow({ name: "steps" }, async ({ input, step }) => {
    let total = 0;
    for (let index = 0; index < input; index++) {
      const { value } = await step.run({ name: `step-${index}` }, () => ({ value: index, text: TEXT }));
      total += value;
    }
    return total;
  });
  const timedSteps = openWorkflow.defineWorkflow({ name: "timed-steps" }, async ({ input, step }) => {
    for (let index = 0; index < input.count; index++) {
      await step.run({ name: `step-${index}` }, () => {
        bodyTimes.get(input.key)?.push(performance.now());
        return { value: index, text: TEXT };
      });
    }
  });
  const fanOut = openWorkflow.defineWorkflow({ name: "fan-out" }, async ({ input, step }) => {
    const all = await Promise.all(
      Array.from({ length: input }, (_, index) =>
        step.run({ name: `branch-${index}` }, () => ({ value: index, text: TEXT })),
      ),
    );
    return all.reduce((total, { value }) => total + value, 0);
  });
  const echo = openWorkflow.defineWorkflow({ name: "echo" }, async ({ input, step }) => {
    for (let turn = 0; ; turn++) {
      const received = await step.waitForSignal({ name: `ask-${turn}`, signal: `ask:${input}`, timeout: "10m" });
      if (received === null || received.data < 0) return;
      await step.run({ name: `reply-${turn}` }, () => {
        replies.get(input)?.(received.data);
      });
    }
  });
  const sleeper = openWorkflow.defineWorkflow({ name: "sleeper" }, async ({ input, step }) => {
    asleep.add(input.id);
    await step.sleep("due", `${Math.max(1, input.dueAt - Date.now())}ms`);
    await step.run({ name: "woke" }, () => {
      lateness.push(Date.now() - input.dueAt);
    });
  });
  return { steps, timedSteps, fanOut, echo, sleeper };
}

export default function openworkflow({ databaseUrl }) {
  let backend;
  let worker;
  let openWorkflow;
  let workflows;
  return {
    name: "openworkflow",
    unable: {
      long: "a run may have 1,000 steps at most",
      wide: "a run may have 1,000 steps at most",
    },
    async start() {
      const migrating = await BackendPostgres.connect(databaseUrl);
      await migrating.stop();
      const pool = postgres(databaseUrl, { max: POOL, transform: { column: { from: postgres.toCamel } } });
      backend = BackendPostgres.fromPool(pool);
      openWorkflow = new OpenWorkflow({ backend });
      workflows = defineWorkflows(openWorkflow);
      worker = openWorkflow.newWorker({ concurrency: CONCURRENCY });
      await worker.start();
    },
    async stop() {
      await worker.stop();
      await backend.stop();
    },
    async runSteps(_id, count) {
      return (await workflows.steps.run(count)).result();
    },
    async runMany(_prefix, count, each) {
      const handles = [];
      await inFlight(count, STARTS_IN_FLIGHT, async () => handles.push(await workflows.steps.run(each)));
      await Promise.all(handles.map((handle) => handle.result()));
    },
    async stepTimes(id, count) {
      const times = [];
      bodyTimes.set(id, times);
      await (await workflows.timedSteps.run({ key: id, count })).result();
      bodyTimes.delete(id);
      return times;
    },
    async runFanOut(_id, width) {
      return (await workflows.fanOut.run(width)).result();
    },
    async openEcho(id) {
      const run = await workflows.echo.run(id);
      const send = (data) => openWorkflow.sendSignal({ signal: `ask:${id}`, data });
      // A signal that nobody waits for is dropped, and one that comes while the run is being put aside does not wake it
      // before its timeout: it is sent when no worker has the run any more.
      const listening = async () => {
        while (true) {
          const { workerId, availableAt } = await backend.getWorkflowRun({ workflowRunId: run.workflowRun.id });
          if (workerId === null && availableAt !== null && availableAt > new Date(Date.now() + 60_000)) return;
          await wait(2);
        }
      };
      return {
        listening,
        async ask(index) {
          const replied = new Promise((resolve) => replies.set(id, resolve));
          await send(index);
          await replied;
        },
        async close() {
          await listening();
          await send(-1);
          await run.result();
        },
      };
    },
    async startSleepers(prefix, count, dueAt) {
      lateness.length = 0;
      asleep.clear();
      const before = memoryInUse();
      await inFlight(count, STARTS_IN_FLIGHT, (index) =>
        workflows.sleeper.run({ id: `${prefix}-${index}`, dueAt: dueAt(index) }),
      );
      return {
        async asleep() {
          while (asleep.size < count) await wait(50);
          await wait(1_000);
          return (memoryInUse() - before) / count;
        },
        // Not through the handles: thousands of them asking once a second would be what is measured.
        async woken() {
          while (lateness.length < count) await wait(100);
          return [...lateness];
        },
      };
    },
    async startOnly(_prefix, count, most) {
      const later = new Date(Date.now() + 3_600_000);
      await inFlight(count, most, () => workflows.steps.run(1, { availableAt: later }));
    },
  };
}
