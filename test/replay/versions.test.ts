// Versions of one workflow side by side, through real workers: each run is executed by the code it began with, waits for it
// where there is none, and changes to other code only when it is told to.

import { expect, test } from "vitest";
import { LocalWorkers } from "../../runtime/service/local-workers.ts";
import { Service } from "../../runtime/service/service.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { workerSettings } from "../../runtime/worker/settings.ts";
import { WorkerLoop } from "../../runtime/worker/worker-loop.ts";
import { WorkflowClient } from "../../sdk/client/client.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  patched,
  step,
  type Workflow,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";

const go = defineSignal("go");
const phase = defineQuery<string>("phase");

/** Two steps around a wait; the second is made by version 2 in another way. */
function orderOf(version: string | undefined, second: string, done: string[] = []): Workflow<undefined, string> {
  const main = async () => {
    phase.handle(() => `${version}`);
    await step("charge", () => done.push(`charge ${version}`));
    await go.receive();
    await step(second, () => done.push(`${second} ${version}`));
    return `${version}`;
  };
  return workflow("order", main, version === undefined ? {} : { version });
}

const order1 = orderOf("1.0.0", "ship");
const order2 = orderOf("2.0.0", "ship");
/** Asks for something else where the others ship. */
const order3 = orderOf("3.0.0", "send");
const unversioned = orderOf(undefined, "ship");

async function waiting(run: RunHandle<unknown>): Promise<void> {
  await eventually("the run waits for its signal", async () => (await run.describe()).pending?.signals.includes("go"));
}

async function statusOf(run: RunHandle<unknown>): Promise<string> {
  return (await run.describe()).status;
}

async function codeOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => "no error",
    (error: { code?: unknown }) => error.code,
  );
}

test("one worker executes runs of several versions and of none, each by its own code", async () => {
  const house = openHouse();
  const done: string[] = [];
  const all = ["1.0.0", "2.0.0", undefined].map((version) => orderOf(version, "ship", done));
  await house.startWorker(all);
  const runs = await Promise.all(all.map((each) => house.client.start(each)));
  for (const run of runs) await run.signal(go);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(["1.0.0", "2.0.0", "undefined"]);
  expect(done).toHaveLength(6);
  expect(await Promise.all(runs.map(async (run) => (await run.describe()).version))).toEqual(["1.0.0", "2.0.0", null]);
  const [first] = await historyOf(runs[1] as RunHandle<unknown>);
  expect(first).toMatchObject({ type: "RunStarted", workflow: "order", version: "2.0.0" });
});

test("two of a name and version are refused", async () => {
  const house = openHouse();
  expect(() => workflow("order", async () => {}, { version: "1.0" })).toThrow("semantic version in full");
  expect(() => workflow("order", async () => {}, { version: "v1.0.0" })).toThrow('got "v1.0.0"');
  const { checkedWorkflows } = await import("../../runtime/worker/checked-workflows.ts");
  expect(() => checkedWorkflows([order1, orderOf("1.0.0", "send")])).toThrow("of version 1.0.0");
  expect(checkedWorkflows([order1, order2, unversioned])).toHaveLength(3);
  expect(house.log.lines).toEqual([]);
});

test("a run of a version that no worker here has is never claimed nor blocked: it waits, and says for what", async () => {
  const house = openHouse();
  const other = await house.startWorker([order2, unversioned]);
  const run = await house.client.start(order1, { id: "one" });
  await house.client.start(order2, { id: "two" });
  await eventually("the other run is executed", () => other.stats.claimed === 1);
  // While that is found out, which takes more than a second, the worker looks every 50 ms.
  const description = await run.describe();
  expect(description).toMatchObject({ status: "running", version: "1.0.0", ownerId: null, crashCount: 0 });
  expect(description.summary).toContain('waits for a worker of queue "default" that has version 1.0.0 of "order"');
  expect(await house.store.findRun({ workflowId: "one" })).toMatchObject({ epoch: 0 });
  expect(other.stats).toMatchObject({ claimed: 1, blocked: 0 });
  await house.startWorker([order1]);
  await run.signal(go);
  expect(await run.result()).toBe("1.0.0");
});

test("a rolling deploy: runs of both versions go on while old and new workers come and go", async () => {
  const house = openHouse();
  const old = await house.startWorker([order1]);
  const before = await house.client.startMany(
    order1,
    Array.from({ length: 20 }, (_, n) => ({ id: `before-${n}` })),
  );
  await Promise.all(before.map(waiting));
  await house.startWorker([order2]);
  const after = await house.client.startMany(
    order2,
    Array.from({ length: 20 }, (_, n) => ({ id: `after-${n}` })),
  );
  await Promise.all(after.map((run) => run.signal(go)));
  expect(new Set(await Promise.all(after.map((run) => run.result())))).toEqual(new Set(["2.0.0"]));
  await old.stop(0);
  await Promise.all(before.map((run) => run.signal(go)));
  const { versions } = await house.client.versions(order1);
  expect(versions.map(({ version, openRuns, isDrained }) => [version, openRuns, isDrained])).toEqual([
    ["2.0.0", 0, true],
    ["1.0.0", 20, false],
  ]);
  await house.startWorker([order1, order2]);
  expect(new Set(await Promise.all(before.map((run) => run.result())))).toEqual(new Set(["1.0.0"]));
  const drained = (await house.client.versions("order")).versions;
  expect(drained.every(({ isDrained, isServed }) => isDrained && isServed)).toBe(true);
  expect(house.log.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("new runs are of the version that the policy says, whatever definition they are started with", async () => {
  const house = openHouse();
  await house.startWorker([order1, order2]);
  const { client } = house;
  const versionOf = async (run: Promise<RunHandle<unknown>>) => (await (await run).describe()).version;
  expect(await versionOf(client.start(order1))).toBe("1.0.0");
  await client.setVersionPolicy("order", { current: "2.0.0" });
  expect(await versionOf(client.start(order1))).toBe("2.0.0");
  expect(await versionOf(client.start(order1, { version: "1.0.0" }))).toBe("1.0.0");
  expect(await versionOf(client.start(unversioned))).toBe(null);
  expect(await versionOf(client.start(unversioned, { version: "policy" }))).toBe("2.0.0");
  const { policy, versions } = await client.versions(order1);
  expect(policy).toEqual({ current: "2.0.0", ramp: null });
  expect(versions.map(({ version, isCurrent, openRuns }) => [version, isCurrent, openRuns])).toEqual([
    ["2.0.0", true, 2],
    ["1.0.0", false, 2],
    [null, false, 1],
  ]);
  await client.setVersionPolicy(order1, null);
  expect(await versionOf(client.start(order1))).toBe("1.0.0");
});

test("a policy's history says who changed it, when, from what and to what", async () => {
  const house = openHouse();
  await house.startWorker([order1, order2]);
  const client = house.openClient([], undefined, "deploy-bot");
  await client.setVersionPolicy("order", { current: "1.0.0" });
  await client.setVersionPolicy(
    "order",
    { current: "1.0.0", ramp: { version: "2.0.0", percent: 10 } },
    { actor: "Ann" },
  );
  await house.client.setVersionPolicy("order", null);
  const history = await client.versionPolicyHistory(order1);
  const ramped = { current: "1.0.0", ramp: { version: "2.0.0", percent: 10 } };
  expect(history).toEqual([
    { at: expect.any(Number), actor: null, from: ramped, to: null },
    { at: expect.any(Number), actor: "Ann", from: { current: "1.0.0", ramp: null }, to: ramped },
    { at: expect.any(Number), actor: "deploy-bot", from: null, to: { current: "1.0.0", ramp: null } },
  ]);
  expect(await client.versionPolicyHistory("order", { limit: 1 })).toEqual(history.slice(0, 1));
  expect(await codeOf(client.versionPolicyHistory("order", { limit: 0 }))).toBe("ARGUMENT_INVALID");
});

test("a ramp takes its share of the workflow ids, always the same ones, and more as it grows", async () => {
  const house = openHouse();
  await house.startWorker([order1, order2]);
  const chosenAt = async (percent: number) => {
    await house.client.setVersionPolicy("order", { current: "1.0.0", ramp: { version: "2.0.0", percent } });
    const ids = Array.from({ length: 1_000 }, (_, n) => ({
      id: `ramp-${n}`,
      onConflict: "terminateExisting" as const,
    }));
    await house.client.startMany(order1, ids);
    const [page] = await house.client.countBy("version", { where: { status: "running" } });
    expect(page?.count).toBeLessThan(1_001);
    const runs = await house.store.listRuns({ version: "2.0.0", status: ["running"], limit: 2_000 });
    return new Set(runs.map(({ workflowId }) => workflowId));
  };
  const [some, again, more] = [await chosenAt(10), await chosenAt(10), await chosenAt(30)];
  expect(some.size).toBeGreaterThan(70);
  expect(some.size).toBeLessThan(130);
  expect(again).toEqual(some);
  expect(more.size).toBeGreaterThan(250);
  expect(more.size).toBeLessThan(350);
  expect([...some].every((id) => more.has(id))).toBe(true);
  expect((await chosenAt(100)).size).toBe(1_000);
});

test("a range gets the newest known version that fits; what nobody knows is refused at the door", async () => {
  const house = openHouse();
  await house.startWorker([
    order1,
    orderOf("1.10.0", "ship"),
    orderOf("1.9.0", "ship"),
    orderOf("2.0.0-beta.1", "ship"),
  ]);
  const { client } = house;
  const asked = async (version: string) => (await (await client.start(order1, { version })).describe()).version;
  expect(await asked("^1.2")).toBe("1.10.0");
  expect(await asked("~1.9")).toBe("1.9.0");
  expect(await asked("*")).toBe("1.10.0");
  expect(await asked("2.0.0-beta.1")).toBe("2.0.0-beta.1");
  await expect(client.start(order1, { version: "1.0.1" })).rejects.toMatchObject({ code: "VERSION_UNKNOWN" });
  await expect(client.start(order1, { version: "^2.0" })).rejects.toThrow("known are 1.0.0, 1.10.0, 1.9.0");
  expect(await codeOf(client.start(order1, { version: "one" }))).toBe("ARGUMENT_INVALID");
  expect(await codeOf(client.startMany(order1, [{ version: "7.0.0" }]))).toBe("VERSION_UNKNOWN");
  expect(await codeOf(client.setVersionPolicy("order", { current: "7.0.0" }))).toBe("VERSION_UNKNOWN");
  const ramp = { version: "1.10.0", percent: 0 };
  expect(await codeOf(client.setVersionPolicy("order", { current: "1.0.0", ramp }))).toBe("ARGUMENT_INVALID");
  // The definition at hand is as good as a worker that has it.
  const early = await client.start(orderOf("4.0.0", "ship"));
  expect(await early.describe()).toMatchObject({ version: "4.0.0", status: "running" });
  expect(await client.count({ where: { version: "4.0.0" } })).toBe(1);
});

test("a run under way is moved: its worker lets go, and the other code replays all of it and goes on", async () => {
  const house = openHouse();
  const done: string[] = [];
  const bodies: (() => void)[] = [];
  const moving = (version: string) =>
    workflow(
      "moving",
      async () => {
        await step("long", () => new Promise<void>((release) => bodies.push(release)));
        await step("next", () => done.push(version));
        return `${workflowInfo().version}`;
      },
      { version },
    );
  const first = await house.startWorker([moving("1.0.0")]);
  await house.startWorker([moving("2.0.0")]);
  const run = await house.client.start(moving("1.0.0"));
  await eventually("the step is under way", () => bodies.length === 1);
  await run.moveTo("2.0.0");
  await eventually("the move is in the history", async () => (await typesOf(run)).includes("RunMoved"));
  expect((await run.describe()).ownerId).toBe(first.stats.workerId);
  bodies[0]?.();
  expect(await run.result()).toBe("2.0.0");
  expect(done).toEqual(["2.0.0"]);
  expect(bodies).toHaveLength(1);
  expect(await typesOf(run)).toEqual(["RunStarted", "RunMoved", "StepCompleted", "StepCompleted", "RunCompleted"]);
  expect(await run.describe()).toMatchObject({ version: "2.0.0" });
});

test("nothing of what the old code comes to after the move is kept: not its end, its commands nor its patches", async () => {
  const house = openHouse();
  const bodies: (() => void)[] = [];
  const long = () => step("long", () => new Promise<void>((release) => bodies.push(release)));
  const old = workflow(
    "ends",
    async () => {
      await long();
      if (patched("p")) await step("old way", () => "old");
      return "old";
    },
    { version: "1.0.0" },
  );
  const young = workflow(
    "ends",
    async () => {
      await long();
      return step("new way", () => "new");
    },
    { version: "2.0.0" },
  );
  await house.startWorker([old, young]);
  const run = await house.client.start(old);
  await eventually("the step is under way", () => bodies.length === 1);
  await run.moveTo("2.0.0");
  await eventually("the move is in the history", async () => (await typesOf(run)).includes("RunMoved"));
  bodies[0]?.();
  expect(await run.result()).toBe("new");
  expect(await typesOf(run)).toEqual(["RunStarted", "RunMoved", "StepCompleted", "StepCompleted", "RunCompleted"]);
});

test("a parked run is moved, and back, without a step made again", async () => {
  const house = openHouse();
  const done: string[] = [];
  await house.startWorker([orderOf("1.0.0", "ship", done)], { lingerMs: 0 });
  await house.startWorker([orderOf("2.0.0", "ship", done)], { lingerMs: 0 });
  const run = await house.client.start(order1);
  for (const version of ["2.0.0", "1.0.0", "2.0.0"]) {
    await waiting(run);
    await run.moveTo(version);
    await eventually("it is told", async () => (await run.describe()).unreadMail === 0);
  }
  await waiting(run);
  expect(await run.query(phase)).toBe("2.0.0");
  await run.moveTo("2.0.0");
  await run.signal(go);
  expect(await run.result()).toBe("2.0.0");
  expect(done).toEqual(["charge 1.0.0", "ship 2.0.0"]);
  expect((await typesOf(run)).filter((type) => type === "RunMoved")).toHaveLength(3);
});

test("code that does not fit blocks a moved run untouched, and it is moved back and goes on", async () => {
  const house = openHouse();
  await house.startWorker([order1, order3]);
  const run = await house.client.start(order1);
  await run.signal(go);
  const fits = workflow("order", async () => "other", { version: "4.0.0" });
  await house.startWorker([fits]);
  const held = await house.client.start(order1, { id: "held" });
  await waiting(held);
  const before = await historyOf(held);
  await held.moveTo("4.0.0");
  await eventually("it is blocked", async () => (await statusOf(held)) === "blocked");
  expect((await held.describe()).blocked).toMatchObject({ kind: "divergence" });
  const after = await historyOf(held);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.slice(before.length).every(({ type }) => type === "RunMoved")).toBe(true);
  await held.moveTo("1.0.0");
  await waiting(held);
  expect(await held.describe()).toMatchObject({ status: "running", version: "1.0.0", blocked: null });
  // Where the codes are the same so far, it goes on with either.
  await held.moveTo("3.0.0");
  await held.signal(go);
  expect(await held.result()).toBe("3.0.0");
  expect((await typesOf(held)).filter((type) => type === "RunMoved")).toHaveLength(3);
});

test("a run of no version is taken over by a version, and given back", async () => {
  const house = openHouse();
  await house.startWorker([unversioned]);
  const run = await house.client.start(unversioned);
  await waiting(run);
  await house.startWorker([order1]);
  await run.moveTo("1.0.0");
  await eventually("the other code has it", async () => (await run.query(phase)) === "1.0.0");
  await run.moveTo(null);
  await eventually("it is back", async () => (await run.query(phase)) === "undefined");
  await run.signal(go);
  expect(await run.result()).toBe("undefined");
  expect(await run.describe()).toMatchObject({ version: null });
});

test("a worker that has versions only leaves runs of no version alone", async () => {
  const house = openHouse();
  const worker = await house.startWorker([order1]);
  const run = await house.client.start(unversioned);
  await house.client.start(order1);
  await eventually("the other is executed", () => worker.stats.claimed === 1);
  expect(await statusOf(run)).toBe("running");
  await house.startWorker([unversioned]);
  await run.signal(go);
  expect(await run.result()).toBe("undefined");
});

test("who may not be moved, and where to, is said at once", async () => {
  const house = openHouse();
  await house.startWorker([order1]);
  const run = await house.client.start(order1);
  expect(await codeOf(run.moveTo("1.0.1"))).toBe("VERSION_UNKNOWN");
  expect(await codeOf(run.moveTo("^1.0"))).toBe("ARGUMENT_INVALID");
  expect(await codeOf(house.client.getUntyped("nobody").moveTo("1.0.0"))).toBe("RUN_NOT_FOUND");
  await run.moveTo("1.0.0");
  await run.signal(go);
  await run.result();
  expect(await codeOf(run.moveTo("1.0.0"))).toBe("RUN_CLOSED");
  expect(await typesOf(run)).not.toContain("RunMoved");
});

test("a run that is paused and moved stands still, and goes on with the other code", async () => {
  const house = openHouse();
  await house.startWorker([order1]);
  await house.startWorker([order2]);
  const run = await house.client.start(order1);
  await waiting(run);
  await run.pause("maintenance");
  await run.moveTo("2.0.0");
  await run.signal(go);
  await eventually("it is let go of", async () => (await run.describe()).ownerId === null);
  expect(await run.describe()).toMatchObject({ version: "2.0.0", paused: { reason: "maintenance" } });
  await run.resume();
  expect(await run.result()).toBe("2.0.0");
});

test("queries of parked and closed runs are answered by whoever has their version", async () => {
  const house = openHouse();
  const [one] = [
    await house.startWorker([order1], { lingerMs: 0 }),
    await house.startWorker([order2], { lingerMs: 0 }),
  ];
  const runs = [await house.client.start(order1), await house.client.start(order2)];
  for (let round = 0; round < 5; round += 1) {
    expect(await Promise.all(runs.map((run) => run.query(phase)))).toEqual(["1.0.0", "2.0.0"]);
  }
  for (const run of runs) await run.signal(go);
  await Promise.all(runs.map((run) => run.result()));
  expect(await Promise.all(runs.map((run) => run.query(phase)))).toEqual(["1.0.0", "2.0.0"]);
  await one.stop(0);
  const late = runs[0]?.query(phase, undefined, { timeout: 200 });
  await expect(late).rejects.toThrow('that has version 1.0.0 of "order"');
});

test("children are of the version that is asked for, that the policy says, or of their definition's own", async () => {
  const house = openHouse();
  const child = (version: string) => workflow("child", async () => `${workflowInfo().version}`, { version });
  const parent = workflow("parent", async () => [
    await executeChild(child("1.0.0")),
    await executeChild(child("1.0.0"), { version: "2.0.0" }),
    await executeChild(child("1.0.0"), { version: "<2" }),
    await executeChild(child("1.0.0"), { version: "9.9.9" }).catch(({ code }) => code as string),
  ]);
  await house.startWorker([parent, child("1.0.0"), child("2.0.0"), child("1.5.0")]);
  expect(await (await house.client.start(parent)).result()).toEqual(["1.0.0", "2.0.0", "1.5.0", "VERSION_UNKNOWN"]);
  await house.client.setVersionPolicy("child", { current: "2.0.0" });
  expect(await (await house.client.start(parent)).result()).toEqual(["2.0.0", "2.0.0", "1.5.0", "VERSION_UNKNOWN"]);
});

test("a run that continues as new stays with its version, or changes it as it says", async () => {
  const house = openHouse();
  type Seen = { readonly seen: readonly string[]; readonly versions: readonly (string | undefined)[] };
  const chain = (version: string) =>
    workflow(
      "chain",
      async ({ seen, versions }: Seen): Promise<readonly string[]> => {
        const [next, ...rest] = versions;
        const now = [...seen, `${workflowInfo().version}`];
        if (versions.length === 0) return now;
        return continueAsNew({ seen: now, versions: rest }, next === undefined ? {} : { version: next });
      },
      { version },
    );
  await house.startWorker([chain("1.0.0"), chain("1.5.0"), chain("2.0.0")]);
  await house.client.setVersionPolicy("chain", { current: "2.0.0" });
  const versions = [undefined, "^1.2", undefined, "policy"];
  const run = await house.client.start(chain("1.0.0"), { version: "1.0.0", input: { seen: [], versions } });
  expect(await run.result()).toEqual(["1.0.0", "1.0.0", "1.5.0", "1.5.0", "2.0.0"]);
});

test("a fork and a reset keep the version of their source, or take another", async () => {
  const house = openHouse();
  await house.startWorker([order1, order2]);
  const run = await house.client.start(order1, { id: "source" });
  await waiting(run);
  await run.moveTo("2.0.0");
  await run.signal(go);
  expect(await run.result()).toBe("2.0.0");
  const fork = await run.fork({ id: "fork", at: 2 });
  await fork.signal(go);
  expect(await fork.result()).toBe("2.0.0");
  const other = await run.reset({ at: 2, version: "1.0.0" });
  await other.signal(go);
  expect(await other.result()).toBe("1.0.0");
  expect(await other.describe()).toMatchObject({ workflowId: "source", version: "1.0.0" });
  expect(await codeOf(run.fork({ id: "third", version: "8.0.0" }))).toBe("VERSION_UNKNOWN");
});

test("an exported run comes in with its version, moved or not", async () => {
  const house = openHouse();
  const first = await house.startWorker([order1]);
  const run = await house.client.start(order1, { id: "exported" });
  await waiting(run);
  await first.stop(0);
  const told = await run.export();
  await house.startWorker([order3]);
  await eventually(
    "there is another version",
    async () => (await house.client.versions("order")).versions.length === 2,
  );
  const [there, elsewhere] = [openHouse(), openHouse()];
  const imported = await there.client.importRun(told);
  expect(await imported.describe()).toMatchObject({ version: "1.0.0" });
  // Moved, and nobody has told it: its mail says so.
  await house.client.getUntyped("exported").pause();
  const second = await house.client.start(order1, { id: "untold" });
  await second.pause();
  const untold = {
    ...told,
    workflowId: "untold",
    mail: [{ mail: 9, kind: "move", mailId: "m", name: "2.0.0", payload: null }],
  };
  const moved = await elsewhere.client.importRun(untold);
  expect(await moved.describe()).toMatchObject({ version: "2.0.0" });
  await elsewhere.startWorker([order2]);
  await moved.signal(go);
  expect(await moved.result()).toBe("2.0.0");
  expect(await typesOf(moved)).toContain("RunMoved");
});

test("a worker of the client's own process is given the runs of the versions that it has, with their start", async () => {
  const house = openHouse();
  const locals = new LocalWorkers();
  const bus = new MemoryWakeBus();
  const { store, world } = house;
  const service = new Service({ store, wakeups: bus.open(world), world, pollMs: 50, locals });
  const parts = { store, leases: house.keeper.open(), wakeups: bus.open(world), world, locals };
  const worker = new WorkerLoop({ ...parts, workflows: [order1], settings: workerSettings({ pollMs: 50 }) });
  await worker.start();
  try {
    const client = new WorkflowClient(service);
    const [mine, others] = [await client.start(order1), await client.start(order2)];
    expect(await mine.describe()).toMatchObject({ ownerId: worker.stats.workerId, version: "1.0.0" });
    expect(await others.describe()).toMatchObject({ ownerId: null, version: "2.0.0" });
    await mine.signal(go);
    expect(await mine.result()).toBe("1.0.0");
  } finally {
    await worker.stop(0);
    await service.close();
  }
});

test("moves back and forth while signals come and workers work: every run ends once, by one of the codes", async () => {
  const house: House = openHouse();
  const count = defineSignal<number>("count");
  const counting = (version: string) =>
    workflow(
      "counting",
      async () => {
        let sum = 0;
        for (let n = 0; n < 10; n += 1) sum += await step(`add-${n}`, () => n);
        for (let n = 0; n < 5; n += 1) sum += await count.receive();
        return sum;
      },
      { version },
    );
  await house.startWorker([counting("1.0.0")], { lingerMs: 0 });
  await house.startWorker([counting("2.0.0")], { lingerMs: 0 });
  const runs = await house.client.startMany(
    counting("1.0.0"),
    Array.from({ length: 12 }, () => ({})),
  );
  await Promise.all(
    runs.map(async (run, nth) => {
      for (let n = 0; n < 5; n += 1) {
        await run.moveTo((n + nth) % 2 === 0 ? "2.0.0" : "1.0.0");
        await run.signal(count, 1);
      }
    }),
  );
  expect(new Set(await Promise.all(runs.map((run) => run.result())))).toEqual(new Set([50]));
});
