// Runs that begin in the middle of others, through real workers: what is shared is not done again and leads to the same state,
// and from there on a fork goes its own way.

import { beforeAll, expect, onTestFinished, test } from "vitest";
import { Service } from "../../runtime/service/service.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { WorkflowClient } from "../../sdk/client/client.ts";
import {
  defineAttributes,
  defineSignal,
  patched,
  sleep,
  step,
  upsertAttributes,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

beforeAll(installGuards);

const note = defineSignal<string>("note");
const about = defineAttributes({ customer: "keyword" });

/** Fails in its second step until it is mended. */
function breakable() {
  const state = { isMended: false, made: [] as string[], attempts: [] as number[] };
  const main = workflow("order", async (customer: string) => {
    upsertAttributes(about({ customer }));
    const began = workflowInfo().startedAt.getTime();
    const id = crypto.randomUUID();
    const charge = await step("charge", () => {
      state.made.push("charge");
      return 12;
    });
    const label = await step(
      "label",
      ({ attempt }) => {
        state.made.push("label");
        state.attempts.push(attempt);
        if (!state.isMended) throw new Error("the printer is out of paper");
        return "label";
      },
      { retry: { maxAttempts: 2, initialInterval: 1 } },
    );
    return { customer, charge, label, id, later: crypto.randomUUID(), began };
  });
  return { state, main };
}

async function failed() {
  const house = openHouse();
  const { state, main } = breakable();
  await house.startWorker([main]);
  const run = await house.client.start(main, { id: "order-42", input: "c1" });
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  state.isMended = true;
  return { house, state, main, run };
}

test("a failed run goes on from the step that failed, with attempts counted anew", async () => {
  const { house, state, main, run } = await failed();
  const retried = await run.retryFrom();
  const result = await retried.result();
  expect(result).toMatchObject({ customer: "c1", charge: 12, label: "label" });
  expect(state.made).toEqual(["charge", "label", "label", "label"]);
  expect(state.attempts).toEqual([1, 2, 1]);
  expect(retried.workflowId).toBe("order-42");
  expect(retried.runId).not.toBe(run.runId);
  const [before, after] = [await historyOf(run), await historyOf(retried)];
  const shared = before.findIndex(({ type }) => type === "StepFailed");
  expect(after.slice(0, shared)).toEqual(before.slice(0, shared));
  expect(after[shared]).toMatchObject({ type: "RunForked", source: run.runId, event: shared });
  expect(result.began).toBe(before[0]?.at);
  expect((await replay(main, after)).result).toEqual(result);
  expect(await retried.describe()).toMatchObject({ forkedFrom: { runId: run.runId, event: shared } });
  const { runs } = await house.client.list({ where: { attributes: about.where({ customer: "c1" }) } });
  expect(runs.map(({ runId }) => runId)).toEqual([retried.runId, run.runId]);
});

test("a step by its name is made again, with all that came after it", async () => {
  const { state, run } = await failed();
  const retried = await run.retryFrom("charge");
  await retried.result();
  expect(state.made).toEqual(["charge", "label", "label", "charge", "label"]);
  await expect(run.retryFrom("ship")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("chance goes on as it did up to the fork, and another way from there", async () => {
  const { run } = await failed();
  const at = (await historyOf(run)).find(({ type }) => type === "StepCompleted")?.seq ?? 0;
  const first = (await (await run.fork({ id: "one", at })).result()) as { id: string; later: string };
  const second = (await (await run.fork({ id: "two", at })).result()) as { id: string; later: string };
  expect(second.id).toBe(first.id);
  expect(second.later).not.toBe(first.later);
});

test("the end of a step may be edited, and the input of a run from its beginning", async () => {
  const { run } = await failed();
  const charged = (await historyOf(run)).find(({ type }) => type === "StepCompleted")?.seq ?? 0;
  const cheaper = await run.fork({ id: "cheaper", at: charged, result: 10 });
  expect(await cheaper.result()).toMatchObject({ charge: 10, label: "label" });
  const end = (await historyOf(run)).find(({ type }) => type === "StepFailed")?.seq ?? 0;
  const byHand = await run.fork({ id: "by hand", at: end, result: "written by hand" });
  expect(await byHand.result()).toMatchObject({ label: "written by hand" });
  const other = await run.fork({ id: "other", at: 1, input: "c2" });
  expect(await other.result()).toMatchObject({ customer: "c2" });
  expect((await other.describe()).attributes).toEqual({ customer: "c2" });
  await expect(run.fork({ id: "no", at: charged, input: "c2" })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(run.fork({ id: "no", at: 1, result: 1 })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a run is not forked beyond its events, at its end, or under the id of an open run", async () => {
  const { house, run } = await failed();
  const last = (await historyOf(run)).length;
  for (const at of [0, last, last + 1, 1.5, Number.NaN]) {
    await expect(run.fork({ id: "no", at })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  const waiting = workflow("waiting", () => note.receive());
  const open = await house.client.start(waiting);
  await expect(open.fork()).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
  await expect(run.fork({ id: open.workflowId })).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
});

test("an open run is reset: it ends, and its fork gets the signals that it had taken since", async () => {
  const house = openHouse();
  const words = workflow("words", async () => {
    const first = await note.receive();
    await step("between", () => {});
    return [first, await note.receive(), await note.receive()];
  });
  await house.startWorker([words]);
  const run = await house.client.start(words);
  await run.signal(note, "one");
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await run.signal(note, "two");
  await eventually("the signal is taken", async () => (await historyOf(run)).length === 4);
  const fork = await run.reset({ at: 2 });
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: { kind: "terminated" } });
  await fork.signal(note, "three");
  expect(await fork.result()).toEqual(["one", "two", "three"]);
  const bare = await fork.reset({ at: 1, signals: "drop" });
  for (const word of ["a", "b", "c"]) await bare.signal(note, word);
  expect(await bare.result()).toEqual(["a", "b", "c"]);
});

test("a timer that was due long ago fires at once in a fork, one that was not begins when it did", async () => {
  const house = openHouse();
  const sleeper = workflow("sleeper", async () => {
    await sleep(30);
    await note.receive();
    return "awake";
  });
  await house.startWorker([sleeper]);
  const run = await house.client.start(sleeper);
  await eventually("the timer has fired", async () => (await typesOf(run)).includes("TimerFired"));
  const fork = await run.fork({ id: "fork", at: 2 });
  await fork.signal(note, "go");
  expect(await fork.result()).toBe("awake");
  const [source, events] = [await historyOf(run), await historyOf(fork)];
  expect(events[1]).toEqual(source[1]);
  expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(["TimerStarted", "RunForked", "TimerFired"]));
});

test("a run is not forked between the mark of a patch and the event that it names", async () => {
  const house = openHouse();
  const changing = workflow("changing", async () => {
    await step("before", () => {});
    if (patched("new way")) await note.receive();
    return "done";
  });
  await house.startWorker([changing]);
  const run = await house.client.start(changing);
  await eventually("the mark is there", async () => (await typesOf(run)).includes("PatchMarked"));
  await expect(run.fork({ id: "no", at: 2 })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringContaining('patch "new way"'),
  });
  const fork = await run.fork({ id: "yes", at: 3 });
  await fork.signal(note, "go");
  expect(await fork.result()).toBe("done");
});

test("a fork is later than its source in the order of run ids, also by a client whose clock is behind", async () => {
  const { house, run } = await failed();
  const { clock } = house.world;
  const late = { ...house.world, clock: { ...clock, now: () => clock.now() - 3_600_000 } };
  const service = new Service({
    store: house.store,
    wakeups: new MemoryWakeBus().open(late),
    world: late,
    pollMs: 50,
    insistForMs: 15_000,
  });
  onTestFinished(() => service.close());
  const fork = await new WorkflowClient(service).getUntyped("order-42").retryFrom();
  expect((fork.runId ?? "") > (run.runId ?? "")).toBe(true);
});
