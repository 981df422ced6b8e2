// Locks and semaphores: held, waited for, given up, let go by the end of a run.

import {
  defineSemaphore,
  defineSignal,
  executeChild,
  isCanceled,
  PermanentError,
  sleep,
  startChild,
  step,
  TimeoutFailure,
  withLock,
  workflow,
} from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal<string>("go");
const KEY = "account:7";
const gpus = defineSemaphore("gpus", { permits: 2 });

const holds = workflow("holds", async (days: number) =>
  withLock(KEY, async () => {
    await sleep(days * 86_400_000);
    return "held";
  }),
);
const comesLate = workflow("comesLate", async () => {
  await sleep("1 day");
  return withLock(KEY, () => "held");
});
const works = workflow("works", async (n: number) => gpus.with(() => step("work", () => n)));
const dies = workflow("dies", async () => {
  await withLock(KEY, async () => {
    await sleep("1 day");
    throw new Error("no luck");
  });
});
const workflows = [holds, comesLate, works, dies];

export const locks: readonly Scenario[] = [
  scenario(
    "locks one after the other, and one inside another",
    async () => {
      const first = await withLock(KEY, async ({ key }) => step("first", () => key));
      const second = await withLock("outer", () => withLock("inner", () => step("second", () => 2)));
      await sleep("1 day");
      return [first, second, await withLock(KEY, () => 3)];
    },
    { result: [KEY, 2, 3] },
  ),
  scenario(
    "a lock that another run waits for",
    async () => {
      const child = startChild(comesLate);
      await withLock(KEY, () => sleep("2 days"));
      return child.result;
    },
    { result: "held" },
    { workflows },
  ),
  scenario(
    "a lock that another run has for longer than this one waits",
    async () => {
      const child = startChild(holds, { input: 3 });
      await child.started;
      await sleep("1 day");
      const late = await withLock(KEY, () => "never", { timeout: "1 day" }).catch((error: Error) => error);
      const inTime = await withLock(KEY, () => "later", { timeout: "2 days" });
      return [late instanceof TimeoutFailure && late.timeout, inTime, await child.result];
    },
    { result: ["lock", "later", "held"] },
    { workflows },
  ),
  scenario(
    "a lock whose holder fails",
    async () => {
      const child = startChild(dies);
      await child.started;
      await sleep("1h");
      const failed = child.result.catch(() => "failed");
      return [await withLock(KEY, () => "mine"), await failed];
    },
    { result: ["mine", "failed"] },
    { workflows },
  ),
  scenario(
    "branches of one run that take turns",
    async () => {
      const seen: string[] = [];
      const branch = (name: string) =>
        withLock(KEY, async () => {
          seen.push(`${name} in`);
          await sleep("1h");
          seen.push(`${name} out`);
        });
      await Promise.all([branch("a"), branch("b")]);
      return seen;
    },
    { result: ["a in", "a out", "b in", "b out"] },
  ),
  scenario(
    "a fork of a run that failed under a lock, which another run has by then",
    async () =>
      withLock(KEY, async (lock) => {
        const before = lock.fencingToken;
        const used = await step("use", () => {
          if (lock.fencingToken === before) throw new PermanentError("the bank is closed");
          return lock.fencingToken;
        });
        return [before, used, lock.fencingToken, await go.receive()];
      }),
    // The other run had the second.
    { result: [1, 3, 3, "on"] },
    {
      workflows,
      start: async ({ env, workflow }) => {
        const failing = await env.client.start(workflow);
        await failing.result().catch(() => undefined);
        await env.client.start(holds, { input: 2 });
        await env.advance("1h");
        return failing.retryFrom();
      },
      script: async (run, env) => {
        await run.signal(go, "on");
        await env.advance("1 day");
      },
    },
  ),
  scenario(
    "a semaphore that children share",
    () => Promise.all([1, 2, 3].map((input) => executeChild(works, { input }))),
    { result: [1, 2, 3] },
    { workflows },
  ),
  scenario(
    "canceled while it waits for a lock",
    async () => {
      await startChild(holds, { input: 2, onCancel: "abandon", parentClosePolicy: "abandon" }).started;
      await sleep("1 day");
      try {
        return await withLock(KEY, () => "never");
      } catch (error) {
        return isCanceled(error);
      }
    },
    { result: true },
    {
      workflows,
      script: async (run, env) => {
        await env.advance("36h");
        await run.cancel("enough");
      },
    },
  ),
  scenario(
    "canceled while it holds a lock",
    async () => {
      const seen: string[] = [];
      await withLock(KEY, () => go.receive()).catch((error) => seen.push(error.name));
      return seen;
    },
    { result: ["CanceledFailure"] },
    { script: (run) => run.cancel("enough") },
  ),
  scenario(
    "paused while it holds a lock",
    async () => withLock(KEY, () => go.receive()),
    { result: "on" },
    {
      script: async (run, env) => {
        await env.advance("1h");
        await run.pause("later");
        await env.advance("1h");
        await run.resume();
        await run.signal(go, "on");
      },
    },
  ),
];
