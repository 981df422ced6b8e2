// Everstep as its users run it: one worker and one client in this process, defaults throughout.

import { defineQuery, defineSignal, sleepUntil, step, workflow } from "everstep";
import { Client } from "everstep/client";
import { migrate, Worker } from "everstep/runtime";
import { memoryInUse, wait } from "../measure.ts";
import type { Engine, SleepersHandle } from "../scenario.ts";
import { steps } from "../workflows.ts";

const TEXT = "x".repeat(80);

const bodyTimes = new Map<string, number[]>();

const timedSteps = workflow("timedSteps", async (input: { key: string; count: number }) => {
  for (let index = 0; index < input.count; index++) {
    await step("step", () => {
      bodyTimes.get(input.key)?.push(performance.now());
      return { value: index, text: TEXT };
    });
  }
});

const fanOut = workflow("fanOut", async (width: number) => {
  const all = await Promise.all(
    Array.from({ length: width }, (_, index) => step("branch", () => ({ value: index, text: TEXT }))),
  );
  return all.reduce((total, { value }) => total + value, 0);
});

const ask = defineSignal<number>("ask");
const replies = new Map<string, (index: number) => void>();

const echo = workflow("echo", async (key: string) => {
  while (true) {
    const index = await ask.receive();
    if (index < 0) return;
    await step("reply", () => replies.get(key)?.(index));
  }
});

const lateness: number[] = [];

const sleeper = workflow("sleeper", async (dueAt: number) => {
  await sleepUntil(dueAt);
  await step("woke", () => {
    lateness.push(Date.now() - dueAt);
  });
});

const idle = defineQuery<boolean>("idle");
const untouched = workflow("untouched", async () => {
  idle.handle(() => true);
});

export default function everstep(options: {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
}): Engine {
  const connection = { database: options.databaseUrl, redis: options.redisUrl ?? "", logLevel: "warn" as const };
  let worker: Worker | undefined;
  let client: Client;
  return {
    name: "everstep",
    async start() {
      await migrate({ url: options.databaseUrl });
      worker = new Worker({ workflows: [steps, timedSteps, fanOut, echo, sleeper], ...connection });
      await worker.start();
      client = new Client(connection);
    },
    async stop() {
      await client.close();
      await worker?.stop();
    },
    async runSteps(id, count) {
      return (await client.start(steps, { id, input: count })).result();
    },
    async runMany(prefix, count, each) {
      const runs = await client.startMany(
        steps,
        Array.from({ length: count }, (_, index) => ({ id: `${prefix}-${index}`, input: each })),
      );
      await Promise.all(runs.map((run) => run.result()));
    },
    async stepTimes(id, count) {
      const times: number[] = [];
      bodyTimes.set(id, times);
      await (await client.start(timedSteps, { id, input: { key: id, count } })).result();
      bodyTimes.delete(id);
      return times;
    },
    async runFanOut(id, width) {
      return (await client.start(fanOut, { id, input: width })).result();
    },
    async openEcho(id) {
      const run = await client.start(echo, { id, input: id });
      return {
        async ask(index) {
          const replied = new Promise<number>((resolve) => replies.set(id, resolve));
          await run.signal(ask, index);
          await replied;
        },
        async close() {
          await run.signal(ask, -1);
          await run.result();
        },
      };
    },
    async startSleepers(prefix, count, dueAt): Promise<SleepersHandle> {
      lateness.length = 0;
      const before = memoryInUse();
      const runs = await client.startMany(
        sleeper,
        Array.from({ length: count }, (_, index) => ({ id: `${prefix}-${index}`, input: dueAt(index) })),
      );
      return {
        async asleep() {
          while ((worker?.stats.liveRuns ?? 0) > 0) await wait(50);
          return (memoryInUse() - before) / count;
        },
        async woken() {
          await Promise.all(runs.map((run) => run.result()));
          return [...lateness];
        },
      };
    },
    async startOnly(prefix, count, most) {
      let next = 0;
      const lane = async () => {
        while (next < count) {
          const index = next++;
          await client.start(untouched, { id: `${prefix}-${index}`, queue: "nobody" });
        }
      };
      await Promise.all(Array.from({ length: most }, lane));
    },
    async startBatch(prefix, count) {
      await client.startMany(
        untouched,
        Array.from({ length: count }, (_, index) => ({ id: `${prefix}-${index}`, queue: "nobody" })),
      );
    },
  };
}
