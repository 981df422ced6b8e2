// Forks of runs that have children, of children, and of runs that were sending to others: who waits for whom, who deals with
// whom, and that nothing is done or heard twice.

import {
  defineSignal,
  executeChild,
  externalRun,
  isEverstepError,
  type ParentClosePolicy,
  startChild,
  step,
  workflow,
  workflowInfo,
} from "everstep";
import { collectHistory, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { askedOfOthers } from "../../runtime/service/asked-of-others.ts";
import type { ShownEvent } from "../../sdk/client/front-door.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const go = defineSignal<string>("go");
const note = defineSignal<string>("note");

async function open(workflows: TestEnvironmentOptions["workflows"]) {
  const env = await testEnvironment({ workflows });
  onTestFinished(() => env.stop());
  const statusOf = async (id: string) => (await env.client.getUntyped(id).describe()).status;
  return Object.assign(env, { statusOf });
}

const eventsOf = async (run: RunHandle): Promise<readonly ShownEvent[]> => (await collectHistory(run)).events;
const typesOf = async (run: RunHandle) => (await eventsOf(run)).map(({ type }) => type);
const seqOf = async (run: RunHandle, type: string) =>
  (await eventsOf(run)).find((event) => event.type === type)?.seq ?? 0;

const slow = workflow("slow", async () => {
  const word = await go.receive();
  if (word === "fail") throw new Error("the child was told to fail");
  return word;
});

const waits = workflow("waits", async (parentClosePolicy: ParentClosePolicy) => {
  const child = startChild(slow, { id: "the child", parentClosePolicy });
  const runId = await child.started;
  await note.receive();
  const word = await child.result;
  return [runId, word, await step("after", () => "done")];
});

test.each(["terminate", "cancel", "abandon"] as const)(
  "a run is reset while a child is under way: the child goes on, and the fork is its parent (%s)",
  async (policy) => {
    const env = await open([waits, slow]);
    const run = await env.client.start(waits, { input: policy });
    await env.advance(0);
    const child = env.client.getUntyped("the child");
    const childId = (await child.describe()).runId;
    const fork = await run.reset();
    await env.advance(0);
    expect(await env.statusOf("the child")).toBe("running");
    expect(await typesOf(child)).toEqual(["RunStarted"]);
    await fork.signal(note, "go on");
    await child.signal(go, "went");
    expect(await fork.result()).toEqual([childId, "went", "done"]);
    const types = await typesOf(fork);
    expect(types.filter((type) => type === "ChildRequested")).toHaveLength(2);
    for (const type of ["ChildStarted", "ChildEnded"]) {
      expect(types.filter((each) => each === type)).toHaveLength(1);
    }
    const history = await collectHistory(fork);
    expect((await replay(waits, history.events)).result).toEqual([childId, "went", "done"]);
  },
);

test.each([
  ["terminate", "terminated"],
  ["cancel", "canceled"],
  ["abandon", "running"],
] as const)("when the fork closes, the child is dealt with as its policy says: %s", async (policy, status) => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: policy });
  await env.advance(0);
  const fork = await run.reset();
  await fork.terminate();
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe(status);
});

test("the end of a child that came after the shared events is told to the fork, once", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  await env.client.getUntyped("the child").signal(go, "went");
  await env.advance(0);
  expect(await typesOf(run)).toContain("ChildEnded");
  const fork = await run.reset({ at: await seqOf(run, "ChildStarted") });
  await env.advance(0);
  expect((await typesOf(fork)).filter((type) => type === "ChildEnded")).toHaveLength(1);
  await fork.signal(note, "go on");
  expect(await fork.result()).toMatchObject([expect.any(String), "went", "done"]);
  expect((await env.client.list({ workflow: "slow" })).runs).toHaveLength(1);
});

test("a fork at a child's request does not start it twice", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const fork = await run.reset({ at: await seqOf(run, "ChildRequested") });
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe("running");
  await env.client.getUntyped("the child").signal(go, "went");
  await fork.signal(note, "go on");
  expect((await fork.result())[1]).toBe("went");
  expect((await env.client.list({ workflow: "slow" })).runs).toHaveLength(1);
});

test("a run that was closed before is reset: what its policy has made of the child is what the fork hears", async () => {
  const env = await open([waits, slow]);
  for (const [policy, heard] of [
    ["terminate", "terminated"],
    ["cancel", "canceled"],
  ] as const) {
    const run = await env.client.start(waits, { input: policy });
    await env.advance(0);
    await run.terminate();
    await env.advance(0);
    const fork = await run.reset();
    await fork.signal(note, "go on");
    await expect(fork.result()).rejects.toMatchObject({ cause: { name: "ChildFailure", cause: { kind: heard } } });
  }
  const run = await env.client.start(waits, { input: "abandon" });
  await env.advance(0);
  await run.terminate();
  await env.advance(0);
  const fork = await run.reset();
  await env.advance(0);
  const child = env.client.getUntyped("the child");
  expect(await typesOf(child)).toEqual(["RunStarted", "RunAdopted"]);
  await child.signal(go, "went");
  await fork.signal(note, "go on");
  expect((await fork.result())[1]).toBe("went");
});

test("a fork beside an open run follows the same child, and leaves it alone", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const [beside, canceled, ended] = await Promise.all(["a", "b", "c"].map((id) => run.fork({ id })));
  await env.advance(0);
  await canceled?.cancel();
  await ended?.terminate();
  await env.advance(0);
  const child = env.client.getUntyped("the child");
  expect(await env.statusOf("the child")).toBe("running");
  await expect(canceled?.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
  await child.signal(go, "went");
  for (const each of [run, beside]) {
    await each?.signal(note, "go on");
    expect((await each?.result())?.[1]).toBe("went");
  }
  expect((await env.client.list({ workflow: "slow" })).runs).toHaveLength(1);
});

test("a fork beside an open run at a child's request follows that child as well", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const childId = (await env.client.getUntyped("the child").describe()).runId;
  const fork = await run.fork({ id: "beside", at: await seqOf(run, "ChildRequested") });
  await env.advance(0);
  const started = (await eventsOf(fork)).find(({ type }) => type === "ChildStarted");
  expect(started).toMatchObject({ adopted: childId });
  await fork.terminate();
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe("running");
});

const asks = workflow("asks", async () => {
  const made = await step("made", () => "made");
  const child = startChild(slow);
  const other = step("other", () => "other");
  return [made, await other, child.workflowId, await child.result];
});

test("retryFrom() of a run that failed because its child did: the child is started again, and nothing else", async () => {
  const env = await open([asks, slow]);
  const run = await env.client.start(asks);
  await env.advance(0);
  const child = (await env.client.list({ workflow: "slow" })).runs[0];
  await env.client.getUntyped(child?.workflowId ?? "").signal(go, "fail");
  await expect(run.result()).rejects.toMatchObject({ cause: { name: "ChildFailure" } });
  const fork = await run.retryFrom();
  await env.advance(0);
  const again = env.client.getUntyped(child?.workflowId ?? "");
  expect((await again.describe()).runId).not.toBe(child?.runId);
  await again.signal(go, "went");
  const result = ["made", "other", child?.workflowId, "went"];
  expect(await fork.result()).toEqual(result);
  expect((await typesOf(fork)).filter((type) => type === "StepCompleted")).toHaveLength(2);
  expect((await replay(asks, (await collectHistory(fork)).events)).result).toEqual(result);
  // By its name or its id, also where it had ended well.
  for (const work of ["slow", slow, child?.workflowId ?? ""]) {
    const once = await env.client.getUntyped(fork.workflowId).retryFrom(work);
    await env.advance(0);
    await env.client.getUntyped(child?.workflowId ?? "").signal(go, "once more");
    expect(await once.result()).toEqual(["made", "other", child?.workflowId, "once more"]);
  }
});

test("where nothing but the code failed, retryFrom() says so, and names reset()", async () => {
  const state = { isMended: false };
  const fails = workflow("fails", async () => {
    await step("fine", () => 1);
    if (!state.isMended) throw new TypeError("the code is at fault");
    return "mended";
  });
  const env = await open([fails, waits, slow]);
  const run = await env.client.start(fails);
  await run.result().catch(() => {});
  await expect(run.retryFrom()).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringMatching(/its own code did.*the code is at fault.*reset\(\)/),
  });
  state.isMended = true;
  expect(await (await run.reset()).result()).toBe("mended");
  const waiting = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  await expect(waiting.retryFrom("slow")).rejects.toMatchObject({
    message: expect.stringContaining('No step or child "slow"'),
  });
});

test("a child whose id was taken is asked for again by retryFrom()", async () => {
  const busy = workflow("busy", async () => go.receive());
  const needs = workflow("needs", async () => executeChild(slow, { id: "wanted" }));
  const env = await open([busy, needs, slow]);
  const other = await env.client.start(busy, { id: "wanted" });
  const run = await env.client.start(needs);
  await expect(run.result()).rejects.toMatchObject({ cause: { code: "RUN_ALREADY_STARTED" } });
  await other.terminate();
  const fork = await run.retryFrom();
  await env.advance(0);
  await env.client.getUntyped("wanted").signal(go, "went");
  expect(await fork.result()).toBe("went");
});

test("a child is reset: its parent waits for the fork, reaches it, and deals with it", async () => {
  const words = workflow("words", async () => [await go.receive(), await note.receive()].join(" "));
  const parent = workflow("parent", async () => {
    const child = startChild(words, { id: "the child" });
    await child.started;
    await go.receive();
    await child.signal(note, "from my parent");
    return child.result;
  });
  const env = await open([parent, words]);
  const run = await env.client.start(parent);
  await env.advance(0);
  const child = env.client.getUntyped("the child");
  await child.signal(go, "one");
  await env.advance(0);
  const fork = await (await env.client.getUntyped("the child").reset({ at: 1 })).reset();
  await env.advance(0);
  expect(await typesOf(run)).not.toContain("ChildEnded");
  await run.signal(go, "now");
  expect(await run.result()).toBe("one from my parent");
  expect(await fork.result()).toBe("one from my parent");

  const second = await env.client.start(parent);
  await env.advance(0);
  await env.client.getUntyped("the child").reset({ at: 1 });
  await second.terminate();
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe("terminated");

  const third = await env.client.start(parent);
  await env.advance(0);
  await env.client.getUntyped("the child").reset({ at: 1 });
  await third.cancel();
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe("canceled");
});

test("a run that stands for the child of another is reset: whoever waits for it waits for the fork", async () => {
  const uses = workflow("uses", async () => executeChild(slow, { id: "shared", onConflict: "useExisting" }));
  const env = await open([uses, slow]);
  const shared = await env.client.start(slow, { id: "shared" });
  const run = await env.client.start(uses);
  await env.advance(0);
  // The fork's own events do not tell that it is waited for.
  const fork = await shared.reset({ at: 1 });
  await fork.signal(go, "went");
  expect(await run.result()).toBe("went");
  expect(await typesOf(fork)).toContain("RunAdopted");
});

test("a child that was retried after it had failed its parent is followed by the fork of that", async () => {
  const env = await open([asks, slow]);
  const run = await env.client.start(asks, { id: "the parent" });
  await env.advance(0);
  const child = env.client.getUntyped((await env.client.list({ workflow: "slow" })).runs[0]?.workflowId ?? "");
  await child.signal(go, "fail");
  await run.result().catch(() => {});
  const again = await child.reset({ at: 1, signals: "drop" });
  const fork = await run.reset({ at: (await seqOf(run, "ChildEnded")) - 1 });
  await env.advance(0);
  await again.signal(go, "went");
  expect((await fork.result())[3]).toBe("went");
});

test("links follow children that continue as new or are tried again", async () => {
  const chain = workflow("chain", async (n: number): Promise<string> => {
    const word = await go.receive();
    if (word === "next") return chain.continueAsNew(n + 1);
    if (word === "again" && workflowInfo().attempt === 1) throw new Error("once more");
    return `${word} ${n}`;
  });
  const parent = workflow("parent", async () =>
    executeChild(chain, { id: "the child", input: 1, retry: { maxAttempts: 3, initialInterval: 1 } }),
  );
  const env = await open([parent, chain]);
  const run = await env.client.start(parent);
  const child = () => env.client.getUntyped("the child");
  const tell = async (word: string) => {
    await env.advance("1m");
    await child().signal(go, word);
    await env.advance("1m");
  };
  await tell("next");
  await child().reset({ at: 1, signals: "drop" });
  await tell("next");
  const fork = await run.reset();
  await tell("again");
  await child().reset({ at: 1, signals: "drop" });
  await tell("went");
  expect(await fork.result()).toBe("went 3");
});

test("mail that was on its way to another run is sent again, and comes once", async () => {
  const words = workflow("words", async () => {
    const first = await go.receive();
    return [first, await note.receive({ timeout: "1 day" })];
  });
  const sends = workflow("sends", async () => {
    await externalRun("receiver").signal(go, "hello");
    await step("after", () => {});
    try {
      await externalRun("nobody").cancel();
    } catch (error) {
      if (!isEverstepError(error, "RUN_NOT_FOUND")) throw error;
      return "nobody was there";
    }
    return "somebody was there";
  });
  const env = await open([words, sends]);
  const receiver = await env.client.start(words, { id: "receiver" });
  const run = await env.client.start(sends);
  expect(await run.result()).toBe("nobody was there");
  const requests = (await eventsOf(run)).filter(({ type }) => type === "ExternalRequested").map(({ seq }) => seq);
  for (const at of requests) {
    const fork = await run.fork({ id: `fork at ${at}`, at });
    expect(await fork.result()).toBe("nobody was there");
    const again = await fork.fork({ id: `again at ${at}`, at: at + 1 });
    expect(await again.result()).toBe("nobody was there");
  }
  await env.advance("2 days");
  expect(await receiver.result()).toEqual(["hello", undefined]);
  expect((await typesOf(receiver)).filter((type) => type === "SignalReceived")).toHaveLength(1);
});

test("a fork of a fork follows what both share, under the same id", async () => {
  const named = workflow("named", async () => {
    const child = startChild(slow);
    await note.receive();
    return [child.workflowId, await child.result];
  });
  const env = await open([named, slow]);
  const run = await env.client.start(named);
  await env.advance(0);
  const [child] = (await env.client.list({ workflow: "slow" })).runs;
  const first = await run.reset({ at: await seqOf(run, "ChildRequested") });
  const second = await first.reset();
  await env.advance(0);
  const third = await second.reset();
  await env.advance(0);
  await third.signal(note, "go on");
  await env.client.getUntyped(child?.workflowId ?? "").signal(go, "went");
  expect(await third.result()).toEqual([child?.workflowId, "went"]);
  expect((await env.client.list({ workflow: "slow" })).runs).toHaveLength(1);
  expect((await replay(named, (await collectHistory(third)).events)).result).toEqual([child?.workflowId, "went"]);
});

test("a run is not forked where it waits for a child that has been deleted", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const child = env.client.getUntyped("the child");
  const { runId } = await child.describe();
  await child.signal(go, "went");
  await env.advance(0);
  await env.client.prune({ closedFor: 0, workflow: "slow" });
  await expect(run.reset({ at: await seqOf(run, "ChildStarted") })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringContaining(runId),
  });
});

test("a child that was reset is followed to its fork, also when the run that it was has been deleted", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const child = env.client.getUntyped("the child");
  const { runId } = await child.describe();
  await child.reset();
  await env.client.prune({ closedFor: 0, workflow: "slow" });
  await expect(env.client.getUntyped("the child", runId).describe()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  const fork = await run.reset();
  await fork.signal(note, "go on");
  await child.signal(go, "went");
  expect(await fork.result()).toEqual([runId, "went", "done"]);
});

test.each(["went", "fail"])(
  "a child that ends before the fork has asked again was started, and is asked for no more: %s",
  async (word) => {
    const house = openHouse();
    const asks = workflow("asks", async () => {
      const child = startChild(slow, { id: "the child", queue: "children" });
      return [await child.started, await child.result.catch((error: Error) => error.name)];
    });
    await house.startWorker([slow], { queues: ["children"] });
    const worker = await house.startWorker([asks]);
    const run = await house.client.start(asks, { id: "p" });
    await eventually("the child is started", async () => (await typesOf(run)).includes("ChildStarted"));
    await worker.stop();
    const fork = await run.reset({ at: await seqOf(run, "ChildRequested") });
    const runId = (await house.store.findRun({ workflowId: "the child" }))?.runId;
    await house.client.getUntyped("the child").signal(go, word);
    // As the store tells of it: there is nobody to be asked what it waits for.
    const told = async () => (await house.store.findRun({ runId: fork.runId ?? "" }))?.unreadMail === 1;
    await eventually("the fork is told of its end", told);
    await house.startWorker([asks]);
    const result = [runId, word === "fail" ? "ChildFailure" : "went"];
    expect(await fork.result()).toEqual(result);
    const { events } = await collectHistory(fork);
    expect((await replay(asks, events)).result).toEqual(result);
    expect(askedOfOthers(events)).toBeUndefined();
  },
);

test("a fork that is reset to before it was forked sends what its first source had sent under the same id", async () => {
  const sends = workflow("sends", async () => {
    await externalRun("sink").signal(note, "once");
    await go.receive();
  });
  const sink = workflow("sink", async () => {
    const got = [await note.receive()];
    for (;;) {
      const word = await note.receive();
      if (word === "end") return got;
      got.push(word);
    }
  });
  const env = await open([sends, sink]);
  const receiver = await env.client.start(sink, { id: "sink" });
  const run = await env.client.start(sends, { id: "sender" });
  await env.advance(0);
  const at = await seqOf(run, "ExternalRequested");
  let fork = await run.reset();
  for (let round = 0; round < 3; round += 1) {
    fork = await fork.reset({ at });
    await env.advance(0);
    expect((await typesOf(fork)).at(-1)).toBe("ExternalDelivered");
  }
  await receiver.signal(note, "end");
  expect(await receiver.result()).toEqual(["once"]);
});

test("a fork beside a run that is reset to before it was forked leaves that run's child alone, too", async () => {
  const env = await open([waits, slow]);
  const run = await env.client.start(waits, { input: "terminate" });
  await env.advance(0);
  const beside = await run.fork({ id: "beside" });
  await env.advance(0);
  await beside.terminate();
  const reset = await beside.reset({ at: await seqOf(run, "ChildStarted") });
  await env.advance(0);
  await reset.terminate();
  await env.advance(0);
  expect(await env.statusOf("the child")).toBe("running");
});
