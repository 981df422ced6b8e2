// Workflow code sees the history's time and chance and is refused the outside world; everything else in the process,
// steps included, sees the real one.

import childProcess from "node:child_process";
import { randomUUID } from "node:crypto";
import dns from "node:dns";
import fs, { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import net from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { isEverstepError, step, workflow } from "../../sdk/index.ts";
import { openHouse } from "../support/local-worker.ts";
import { replay, runWorkflow, STARTED_AT } from "../support/replaying.ts";

beforeAll(installGuards);

const noop = () => {};
const FILE = new URL(import.meta.url);

/** Every call does something real, and ends what it began. */
const calls: Record<string, () => unknown> = {
  fetch: () => fetch("http://127.0.0.1:1/"),
  "fs.readFile": () => new Promise((resolve) => fs.readFile(FILE, resolve)),
  "fs.readFileSync, by name": () => readFileSync(FILE),
  "fs.existsSync, by name": () => existsSync(FILE),
  "fs.promises.readFile": () => fs.promises.readFile(FILE),
  "fs/promises readFile, by name": () => readFile(FILE),
  "fs.createReadStream": () => fs.createReadStream(FILE).destroy(),
  "net.connect": () => net.connect(1, "127.0.0.1").on("error", noop).destroy(),
  "net.createServer().listen": () =>
    new Promise((resolve) => {
      const server = net.createServer().listen(0, () => server.close(resolve));
    }),
  "child_process.execFileSync": () => childProcess.execFileSync(process.execPath, ["--version"]),
  "child_process.spawn": () =>
    new Promise((resolve) => {
      childProcess.spawn(process.execPath, ["--version"]).on("close", resolve);
    }),
  "dns.lookup": () => new Promise((resolve) => dns.lookup("localhost", resolve)),
  setInterval: () => clearInterval(setInterval(noop, 1_000)),
  setImmediate: () => clearImmediate(setImmediate(noop)),
  "timers/promises setTimeout, by name": () => wait(1),
};

async function refusalOf(call: (() => unknown) | undefined): Promise<string | undefined> {
  try {
    await call?.();
    return undefined;
  } catch (error) {
    return isEverstepError(error, "IO_IN_WORKFLOW") ? error.message : undefined;
  }
}

test.each(Object.keys(calls))("%s is refused in workflow code, and real in a step and outside", async (name) => {
  const main = workflow("main", async () => {
    const inWorkflow = await refusalOf(calls[name]);
    return { inWorkflow, inStep: await step("real", () => refusalOf(calls[name])) };
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main, { id: "order-42" });
  const { inWorkflow, inStep } = await run.result();
  expect(inWorkflow).toMatch(/^Workflow code of run order-42 called \w+.*(step\(|sleep\()/);
  expect(inStep).toBeUndefined();
  expect(await refusalOf(calls[name])).toBeUndefined();
});

function drawEverything(): unknown {
  const bytes = [...crypto.getRandomValues(new Uint8Array(8))];
  return {
    now: Date.now(),
    date: new Date().toISOString(),
    text: Date(),
    monotonic: performance.now(),
    random: Math.random(),
    uuid: crypto.randomUUID(),
    nodeUuid: randomUUID(),
    bytes,
  };
}

test("time and chance follow from the history: the same at replay, and moving on", async () => {
  const drawn: unknown[] = [];
  const main = workflow("main", async () => {
    drawn.push(drawEverything());
    await step("a", noop);
    drawn.push(drawEverything());
  });
  const run = await runWorkflow(main);
  await run.completes("a");
  const live = drawn.splice(0);
  await replay(main, run.history);
  expect(drawn).toEqual(live);
  expect(live[0]).toMatchObject({ now: STARTED_AT, date: new Date(STARTED_AT).toISOString(), monotonic: 0 });
  expect(live[1]).toMatchObject({ now: STARTED_AT + 1_000, monotonic: 1_000 });
  expect(JSON.stringify(live[1])).not.toContain((live[0] as { uuid: string }).uuid);
});

test("runs of different seeds draw differently", async () => {
  const main = workflow("main", async () => crypto.randomUUID());
  const [one, two] = [await runWorkflow(main, { seed: "one" }), await runWorkflow(main, { seed: "two" })];
  expect(one.result).not.toBe(two.result);
});

test("in a step, time and chance are real", async () => {
  const main = workflow("main", async () => {
    const before = Date.now();
    const seen = await step("look", () => [Date.now(), Math.random(), crypto.randomUUID()] as const);
    return { before, seen };
  });
  const house = openHouse();
  await house.startWorker([main]);
  const from = Date.now();
  const results = await Promise.all([1, 2].map(async () => (await house.client.start(main)).result()));
  for (const { seen } of results) expect(seen[0]).toBeGreaterThanOrEqual(from);
  expect(new Set(results.map(({ seen }) => seen[2])).size).toBe(2);
});

test("dates with arguments, and what a date is, stay as they are", async () => {
  const main = workflow("main", async () => [
    new Date(5).getTime(),
    new Date("2020-01-02T03:04:05Z").toISOString(),
    new Date() instanceof Date,
    new Date(0).constructor === Date,
    Date.UTC(2020, 0),
    Object.prototype.toString.call(new Date()),
  ]);
  expect((await runWorkflow(main)).result).toEqual([
    5,
    "2020-01-02T03:04:05.000Z",
    true,
    true,
    Date.UTC(2020, 0),
    "[object Date]",
  ]);
});

test("setTimeout is a durable timer, clearTimeout takes it back", async () => {
  const main = workflow("main", async () => {
    const canceled = setTimeout(noop, 5_000);
    clearTimeout(canceled);
    return new Promise<string>((resolve) => setTimeout((text) => resolve(text), 60_000, "a minute later"));
  });
  const run = await runWorkflow(main);
  expect(run.changes()).toEqual([
    "asked 1 timer setTimeout",
    "withdrawn 1 timer setTimeout",
    "asked 2 timer setTimeout",
  ]);
  await run.fires("setTimeout");
  expect(run.result).toBe("a minute later");
  expect((await replay(main, run.history)).result).toBe("a minute later");
});

test.each([0, -5, Number.NaN, undefined, Number.POSITIVE_INFINITY, 1e30])(
  "setTimeout(call, %s) is a timer that can be kept",
  async (ms) => {
    const main = workflow("main", async () => new Promise<void>((resolve) => setTimeout(resolve, ms)));
    const run = await runWorkflow(main);
    const { due } = run.engine.pendingCommands().next().value as { due: { afterMs: number } };
    expect(due.afterMs).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(JSON.stringify(due))).toEqual(due);
    expect(due.afterMs).toBeLessThanOrEqual(36_525 * 86_400_000);
  },
);

test("a callback of setTimeout is workflow code: it may ask for steps", async () => {
  const main = workflow("main", async () => {
    await new Promise<void>((resolve) => setTimeout(() => void step("later", noop).then(resolve), 1_000));
  });
  const run = await runWorkflow(main);
  await run.fires("setTimeout");
  await run.completes("later");
  expect(run.outcome?.type).toBe("completed");
});

test("a module that workflow code requires for the first time is read", async () => {
  const require = createRequire(import.meta.url);
  const main = workflow("main", async () => {
    const { sum } = require("../support/lazy-module.cjs") as { sum(a: number, b: number): number };
    return sum(1, 2);
  });
  expect((await runWorkflow(main)).result).toBe(3);
});

test("outside of workflows nothing is changed for anybody", async () => {
  const { promisify } = await import("node:util");
  expect(await promisify(setTimeout)(1, "promised")).toBe("promised");
  expect(await promisify(fs.exists)(FILE)).toBe(true);
  expect(new Date().getFullYear()).toBe(new Date(performance.timeOrigin + performance.now()).getFullYear());
});
