// DBOS as its documentation has it for one process: workflows started in process, so that the client's result comes from
// memory; LISTEN/NOTIFY on; a pool of 20 and 100 workflows in flight, where it was fastest.

import { DBOS, DBOSClient } from "@dbos-inc/dbos-sdk";
import { inFlight, memoryInUse, wait } from "../../measure.ts";

const POOL = 20;
const IN_FLIGHT = 100;
const PATIENCE_S = 600;
const TEXT = "x".repeat(80);

const steps = DBOS.registerWorkflow(
  async (count) => {
    let total = 0;
    for (let index = 0; index < count; index++) {
      const { value } = await DBOS.runStep(async () => ({ value: index, text: TEXT }), { name: "step" });
      total += value;
    }
    return total;
  },
  { name: "steps" },
);

const bodyTimes = new Map();

const timedSteps = DBOS.registerWorkflow(
  async ({ key, count }) => {
    for (let index = 0; index < count; index++) {
      await DBOS.runStep(
        async () => {
          bodyTimes.get(key)?.push(performance.now());
          return { value: index, text: TEXT };
        },
        { name: "step" },
      );
    }
  },
  { name: "timedSteps" },
);

const fanOut = DBOS.registerWorkflow(
  async (width) => {
    const all = await Promise.all(
      Array.from({ length: width }, (_, index) =>
        DBOS.runStep(async () => ({ value: index, text: TEXT }), { name: "branch" }),
      ),
    );
    return all.reduce((total, { value }) => total + value, 0);
  },
  { name: "fanOut" },
);

const replies = new Map();

const echo = DBOS.registerWorkflow(
  async (key) => {
    while (true) {
      const index = await DBOS.recv("ask", { timeoutSeconds: PATIENCE_S });
      if (index === null || index < 0) return;
      await DBOS.runStep(async () => replies.get(key)?.(index), { name: "reply" });
    }
  },
  { name: "echo" },
);

const asleep = new Set();
const lateness = [];

const sleeper = DBOS.registerWorkflow(
  async (id, dueAt) => {
    asleep.add(id);
    await DBOS.sleep(Math.max(0, dueAt - Date.now()));
    await DBOS.runStep(async () => void lateness.push(Date.now() - dueAt), { name: "woke" });
  },
  { name: "sleeper" },
);

export default function dbos({ databaseUrl }) {
  let client;
  return {
    name: "dbos",
    async start() {
      DBOS.setConfig({
        name: "bench",
        systemDatabaseUrl: databaseUrl,
        systemDatabasePoolSize: POOL,
        logLevel: "warn",
      });
      await DBOS.launch();
      client = await DBOSClient.create({
        systemDatabaseUrl: databaseUrl,
        systemDatabasePoolSize: POOL,
        applicationName: "bench",
      });
    },
    async stop() {
      await client.destroy();
      await DBOS.shutdown();
    },
    async runSteps(id, count) {
      return (await DBOS.startWorkflow(steps, { workflowID: id })(count)).getResult();
    },
    async runMany(prefix, count, each) {
      await inFlight(count, IN_FLIGHT, (index) => this.runSteps(`${prefix}-${index}`, each));
    },
    async stepTimes(id, count) {
      const times = [];
      bodyTimes.set(id, times);
      await (await DBOS.startWorkflow(timedSteps, { workflowID: id })({ key: id, count })).getResult();
      bodyTimes.delete(id);
      return times;
    },
    async runFanOut(id, width) {
      return (await DBOS.startWorkflow(fanOut, { workflowID: id })(width)).getResult();
    },
    async openEcho(id) {
      const handle = await DBOS.startWorkflow(echo, { workflowID: id })(id);
      return {
        async ask(index) {
          const replied = new Promise((resolve) => replies.set(id, resolve));
          await DBOS.send(id, index, "ask");
          await replied;
        },
        async close() {
          await DBOS.send(id, -1, "ask");
          await handle.getResult();
        },
      };
    },
    async startSleepers(prefix, count, dueAt) {
      lateness.length = 0;
      asleep.clear();
      const before = memoryInUse();
      const handles = [];
      await inFlight(count, IN_FLIGHT, async (index) => {
        const id = `${prefix}-${index}`;
        handles.push(await DBOS.startWorkflow(sleeper, { workflowID: id })(id, dueAt(index)));
      });
      return {
        async asleep() {
          while (asleep.size < count) await wait(50);
          await wait(1_000);
          return (memoryInUse() - before) / count;
        },
        async woken() {
          await Promise.all(handles.map((handle) => handle.getResult()));
          return [...lateness];
        },
      };
    },
    async startOnly(prefix, count, most) {
      await inFlight(count, most, (index) =>
        client.enqueue({ queueName: "nobody", workflowName: "untouched", workflowID: `${prefix}-${index}` }),
      );
    },
  };
}
