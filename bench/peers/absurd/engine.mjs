// Absurd: a worker of 200 tasks that polls every 20 ms, and a pool of 20. Its schema is not in its npm package: it comes
// from sql/absurd.sql of its repository, at the tag of the version in package.json, which ABSURD_SQL names; or from the
// project's own tool `absurdctl`.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { Absurd } from "absurd-sdk";
import pg from "pg";
import { inFlight, memoryInUse, wait } from "../../measure.ts";

const POOL = 20;
const CONCURRENCY = 200;
const POLL_S = 0.02;
const STARTS_IN_FLIGHT = 64;
const TEXT = "x".repeat(80);

const bodyTimes = new Map();
const replies = new Map();
const asleep = new Set();
const lateness = [];

export function obstacle() {
  const schema = process.env.ABSURD_SQL;
  if (schema) return existsSync(schema) ? undefined : `ABSURD_SQL names ${schema}, which is not there`;
  if (spawnSync("absurdctl", ["--help"]).status === 0) return undefined;
  return "its npm package has no schema: name sql/absurd.sql of its repository in ABSURD_SQL, or install absurdctl (Python)";
}

async function installSchema(databaseUrl, pool) {
  if (process.env.ABSURD_SQL) {
    await pool.query(readFileSync(process.env.ABSURD_SQL, "utf8"));
    return;
  }
  const { status, stderr } = spawnSync("absurdctl", ["init", "-d", databaseUrl], { encoding: "utf8" });
  if (status !== 0) throw new Error(`absurdctl could not install the schema: ${stderr.trim()}`);
}

function registerTasks(app) {
  app.registerTask({ name: "steps" }, async (count, task) => {
    let total = 0;
    for (let index = 0; index < count; index++) {
      const { value } = await task.step("step", async () => ({ value: index, text: TEXT }));
      total += value;
    }
    return total;
  });
  app.registerTask({ name: "timedSteps" }, async ({ key, count }, task) => {
    for (let index = 0; index < count; index++) {
      await task.step("step", async () => {
        bodyTimes.get(key)?.push(performance.now());
        return { value: index, text: TEXT };
      });
    }
  });
  app.registerTask({ name: "fanOut" }, async (width, task) => {
    const all = await Promise.all(
      Array.from({ length: width }, (_, index) => task.step("branch", async () => ({ value: index, text: TEXT }))),
    );
    return all.reduce((total, { value }) => total + value, 0);
  });
  app.registerTask({ name: "echo" }, async (key, task) => {
    for (let turn = 0; ; turn++) {
      const index = await task.awaitEvent(`ask:${key}:${turn}`);
      if (index < 0) return;
      await task.step("reply", async () => {
        replies.get(key)?.(index);
        return index;
      });
    }
  });
  app.registerTask({ name: "sleeper" }, async ({ id, dueAt }, task) => {
    asleep.add(id);
    await task.sleepUntil("due", new Date(dueAt));
    await task.step("woke", async () => {
      lateness.push(Date.now() - dueAt);
      return true;
    });
  });
}

export default function absurd({ databaseUrl }) {
  let pool;
  let app;
  const resultOf = async ({ taskID }) => {
    const snapshot = await app.awaitTaskResult(taskID);
    if (snapshot.state !== "completed") throw new Error(`task ${taskID} ended as ${snapshot.state}`);
    return snapshot.result;
  };
  return {
    name: "absurd",
    async start() {
      pool = new pg.Pool({ connectionString: databaseUrl, max: POOL });
      await installSchema(databaseUrl, pool);
      app = new Absurd({ db: pool, queueName: "bench" });
      registerTasks(app);
      await app.createQueue("bench");
      await app.createQueue("nobody");
      await app.startWorker({ concurrency: CONCURRENCY, pollInterval: POLL_S, claimTimeout: 600 });
    },
    async stop() {
      await app.close();
      await pool.end();
    },
    async runSteps(_id, count) {
      return resultOf(await app.spawn("steps", count));
    },
    async runMany(_prefix, count, each) {
      await inFlight(count, CONCURRENCY, () => this.runSteps("", each));
    },
    async stepTimes(id, count) {
      const times = [];
      bodyTimes.set(id, times);
      await resultOf(await app.spawn("timedSteps", { key: id, count }));
      bodyTimes.delete(id);
      return times;
    },
    async runFanOut(_id, width) {
      return resultOf(await app.spawn("fanOut", width));
    },
    async openEcho(id) {
      const spawned = await app.spawn("echo", id);
      let turn = 0;
      return {
        // An event that is there before the run asks for it keeps the run from being put aside: without this wait, what is
        // measured is mostly a run that never waited for its signal.
        async listening() {
          while ((await app.fetchTaskResult(spawned.taskID)).state !== "sleeping") await wait(2);
        },
        async ask(index) {
          const replied = new Promise((resolve) => replies.set(id, resolve));
          await app.emitEvent(`ask:${id}:${turn++}`, index);
          await replied;
        },
        async close() {
          await app.emitEvent(`ask:${id}:${turn++}`, -1);
          await resultOf(spawned);
        },
      };
    },
    async startSleepers(prefix, count, dueAt) {
      lateness.length = 0;
      asleep.clear();
      const before = memoryInUse();
      await inFlight(count, STARTS_IN_FLIGHT, (index) =>
        app.spawn("sleeper", { id: `${prefix}-${index}`, dueAt: dueAt(index) }),
      );
      return {
        async asleep() {
          while (asleep.size < count) await wait(50);
          await wait(1_000);
          return (memoryInUse() - before) / count;
        },
        // Not through results: thousands of clients that poll would be what is measured.
        async woken() {
          while (lateness.length < count) await wait(50);
          return [...lateness];
        },
      };
    },
    async startOnly(_prefix, count, most) {
      await inFlight(count, most, () => app.spawn("untouched", null, { queue: "nobody" }));
    },
  };
}
