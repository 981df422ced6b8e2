// Trying runs again as a whole: what a failure must be like, how long it takes, what the next attempt has from the one
// before, and who hears of what.

import {
  condition,
  continueAsNew,
  defineAttributes,
  defineSignal,
  defineUpdate,
  executeChild,
  PermanentError,
  RetryableError,
  sleep,
  startChild,
  step,
  upsertAttributes,
  upsertMemo,
  workflow,
  workflowInfo,
} from "everstep";
import { collectHistory, replayHistory, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const note = defineSignal<string>("note");
const go = defineSignal("go");
const add = defineUpdate<string, number>("add");

async function open(workflows: TestEnvironmentOptions["workflows"]) {
  const env = await testEnvironment({ workflows, startAt: new Date("2030-01-01T00:00:00Z") });
  onTestFinished(() => env.stop());
  return env;
}

type Env = Awaited<ReturnType<typeof open>>;

/** Of the runs with this id, oldest first. */
async function attemptsOf(env: Env, workflowId: string) {
  const { runs } = await env.client.list({ workflowId });
  return [...runs].reverse();
}

/** How long after the end of each attempt the next one was to begin. */
async function pausesOf(env: Env, workflowId: string): Promise<number[]> {
  const pauses: number[] = [];
  for (const { runId } of await attemptsOf(env, workflowId)) {
    const { events } = await collectHistory(env.client.getUntyped(workflowId, runId));
    const last = events.at(-1);
    if (last?.type === "RunContinued" && last.retry !== undefined) pauses.push(last.retry.delayMs);
  }
  return pauses;
}

const retry = { initialInterval: "1h", jitter: 0 } as const;

/** Fails until it is attempt `times`. */
const fails = workflow(
  "fails",
  async (times: number) => {
    const { attempt, lastFailure, runId, firstRunId } = workflowInfo();
    await step("look", () => attempt);
    if (attempt < times) throw new RangeError(`attempt ${attempt}`);
    return { attempt, last: lastFailure?.message, name: lastFailure?.name, isFirst: runId === firstRunId };
  },
  { retry },
);

test("a run that fails is tried again with the same input, until it does not, and its result is that of the last", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 3 });
  expect(await run.result()).toEqual({ attempt: 3, last: "attempt 2", name: "RangeError", isFirst: false });
  expect(await env.client.get(fails, "a").result()).toMatchObject({ attempt: 3 });
  expect((await attemptsOf(env, "a")).map(({ attempt, status }) => [attempt, status])).toEqual([
    [1, "continuedAsNew"],
    [2, "continuedAsNew"],
    [3, "completed"],
  ]);
  expect(await pausesOf(env, "a")).toEqual([HOUR, 2 * HOUR]);
  const first = env.client.get(fails, "a", run.runId);
  const error = await first.result({ followRuns: false }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "RUN_CONTINUED", cause: { name: "RangeError", message: "attempt 1" } });
});

test("the failure of the last attempt is the run's", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 9, retry: { ...retry, maxAttempts: 2 } });
  await expect(run.result()).rejects.toMatchObject({ status: "failed", cause: { message: "attempt 2" } });
  expect(await attemptsOf(env, "a")).toHaveLength(2);
  const { summary, attempt, lastFailure } = await run.describe();
  expect([attempt, lastFailure?.message, summary]).toEqual([2, "attempt 1", "The run is failed."]);
});

test("a run without a policy has failed when it fails, and so has one that is started to be tried once", async () => {
  const plain = workflow("plain", async () => Promise.reject(new Error("no")));
  const env = await open([plain, fails]);
  await expect((await env.client.start(plain, { id: "p" })).result()).rejects.toMatchObject({ status: "failed" });
  const once = await env.client.start(fails, { id: "o", input: 2, retry: { maxAttempts: 1 } });
  await expect(once.result()).rejects.toMatchObject({ status: "failed" });
  expect([...(await attemptsOf(env, "p")), ...(await attemptsOf(env, "o"))]).toHaveLength(2);
});

test("while it waits it is open, parked until its time, and says why", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 2 });
  await env.advance("30m");
  const waiting = await run.describe();
  expect(waiting).toMatchObject({ status: "running", attempt: 2, ownerId: null, events: 1, pending: null });
  expect(waiting.wakeAt).toBe(waiting.startedAt + HOUR);
  expect(waiting.summary).toContain(`Attempt 2. Begins at ${new Date(waiting.wakeAt ?? 0).toISOString()}.`);
  expect(waiting.summary).toContain("RangeError: attempt 1");
  await expect(env.client.start(fails, { id: "a", input: 1 })).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
  const allowed = { id: "a", input: 1, onReuse: "allowIfFailed" } as const;
  await expect(env.client.start(fails, allowed)).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
  expect(await run.result()).toMatchObject({ attempt: 2 });
  await expect(env.client.start(fails, allowed)).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
});

/** What is thrown, by name; how many attempts the run has then. */
const ENDS: readonly [string, () => unknown, number][] = [
  ["an error", () => new Error("x"), 3],
  ["what is no error", () => "x", 3],
  ["a permanent one", () => new PermanentError("x"), 1],
  ["one that is listed", () => Object.assign(new Error("x"), { name: "Declined" }), 1],
];

test.each(ENDS)("%s", async (_name, make, attempts) => {
  const declines = workflow("declines", async () => Promise.reject(make()));
  const env = await open([declines]);
  const options = { id: "a", retry: { ...retry, maxAttempts: 3, nonRetryable: ["Declined"] } };
  await expect((await env.client.start(declines, options)).result()).rejects.toMatchObject({ status: "failed" });
  expect(await attemptsOf(env, "a")).toHaveLength(attempts);
});

test.each(ENDS)("%s, thrown by a step or a child, is judged like that", async (_name, make, attempts) => {
  const child = workflow("child", async () => Promise.reject(make()));
  const asks = workflow("asks", async (who: "step" | "child") => {
    if (who === "child") return executeChild(child);
    return step("ask", () => Promise.reject(make()), { retry: { maxAttempts: 1 } });
  });
  const env = await open([asks, child]);
  for (const who of ["step", "child"] as const) {
    const options = { id: who, input: who, retry: { ...retry, maxAttempts: 3, nonRetryable: ["Declined"] } };
    await expect((await env.client.start(asks, options)).result()).rejects.toMatchObject({ status: "failed" });
    expect(await attemptsOf(env, who)).toHaveLength(attempts);
  }
});

test("a step that ran out of time, and a child that was ended, say nothing against trying all of it again", async () => {
  const endless = workflow("endless", async () => sleep("365 days"));
  const slow = workflow("slow", async () => {
    if (workflowInfo().attempt > 1) return "done";
    return step("slow", () => new Promise(() => {}), { timeout: "1m", retry: { maxAttempts: 1 } });
  });
  const asks = workflow("asks", async () => {
    if (workflowInfo().attempt > 1) return "done";
    return executeChild(endless, { id: "endless", timeout: "1h" });
  });
  const env = await open([slow, asks, endless]);
  const timing = await env.client.start(slow, { retry });
  await env.advance("5m", { pastSteps: true });
  expect(await timing.describe()).toMatchObject({ attempt: 2, lastFailure: { type: "StepFailure" } });
  expect(await timing.result()).toBe("done");
  expect(await (await env.client.start(asks, { retry })).result()).toBe("done");
});

test("who throws may say when; functions of the policy in the code are asked with the error", async () => {
  const busy = workflow("busy", async () => {
    throw new RetryableError("busy", { retryAfter: "5 days" });
  });
  const asked = workflow("asked", async () => Promise.reject(new Error(`${workflowInfo().attempt}`)), {
    retry: {
      backoff: (attempt, error) => attempt * DAY + Number((error as Error).message),
      nonRetryable: [(error) => (error as Error).message === "3"],
    },
  });
  const env = await open([busy, asked]);
  const first = await env.client.start(busy, { id: "busy", retry: { ...retry, maxAttempts: 3 } });
  await expect(first.result()).rejects.toMatchObject({ status: "failed" });
  expect(await pausesOf(env, "busy")).toEqual([5 * DAY, 5 * DAY]);
  await expect((await env.client.start(asked, { id: "asked" })).result()).rejects.toMatchObject({ status: "failed" });
  expect(await pausesOf(env, "asked")).toEqual([DAY + 1, 2 * DAY + 2]);
});

test("chance shortens the pause, once, and what was drawn is recorded", async () => {
  const env = await open([fails]);
  const options = { initialInterval: HOUR, backoff: "fixed", jitter: 0.5 } as const;
  await (await env.client.start(fails, { id: "a", input: 12, retry: options })).result();
  const pauses = await pausesOf(env, "a");
  expect(new Set(pauses).size).toBeGreaterThan(3);
  for (const pauseMs of pauses) expect(pauseMs).toBeGreaterThanOrEqual(HOUR / 2);
  const runs = await attemptsOf(env, "a");
  for (const [index, { runId }] of runs.slice(1).entries()) {
    const { events } = await collectHistory(env.client.getUntyped("a", runId));
    const [started, looked] = events;
    expect((looked?.at ?? 0) - (started?.at ?? 0)).toBe(pauses[index]);
  }
});

test("a run that was told to cancel is not tried again, however it ends; nor is one that was ended", async () => {
  const stubborn = workflow("stubborn", async (end: "throw" | "cancel") => {
    await sleep("10 days").catch((error) => {
      throw end === "throw" ? new Error("cleaning up failed") : error;
    });
  });
  const env = await open([stubborn]);
  for (const [end, status] of [
    ["throw", "failed"],
    ["cancel", "canceled"],
  ] as const) {
    const run = await env.client.start(stubborn, { id: end, input: end, retry });
    await env.advance("1h");
    await run.cancel();
    await expect(run.result()).rejects.toMatchObject({ status });
    expect(await attemptsOf(env, end)).toHaveLength(1);
  }
  const ended = await env.client.start(stubborn, { id: "ended", input: "throw", retry });
  await ended.terminate();
  await expect(ended.result()).rejects.toMatchObject({ status: "terminated" });
  expect(await attemptsOf(env, "ended")).toHaveLength(1);
});

test("between attempts, signals wait for the next one; a cancel and a terminate do not", async () => {
  const notes = workflow("notes", async () => {
    if (workflowInfo().attempt === 1) throw new Error("first");
    const begunAt = Date.now();
    return [await note.receive(), begunAt];
  });
  const env = await open([notes]);
  const start = async (id: string) => {
    const run = await env.client.start(notes, { id, retry: { ...retry, initialInterval: "10 days" } });
    await env.advance("1h");
    expect(await run.describe()).toMatchObject({ attempt: 2, events: 1 });
    return run;
  };
  const began = env.now().getTime();
  const signaled = await start("signaled");
  await signaled.signal(note, "early");
  await env.advance("1h");
  expect(await signaled.describe()).toMatchObject({ events: 1, unreadMail: 1 });
  const canceled = await start("canceled");
  await canceled.cancel();
  await env.advance(0);
  expect(await canceled.describe()).toMatchObject({ status: "canceled", attempt: 2 });
  const ended = await start("ended");
  await ended.terminate();
  await expect(ended.result()).rejects.toMatchObject({ status: "terminated" });
  const [word, begunAt] = (await signaled.result()) as [string, number];
  expect([word, begunAt]).toEqual(["early", began + 10 * DAY]);
});

test("paused between attempts it stands still, and goes on when it is resumed and its time has come", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 2 });
  await env.advance("30m");
  await run.pause();
  await env.advance("1 day");
  expect(await run.describe()).toMatchObject({ events: 1, paused: { reason: "paused by the client" } });
  await run.resume();
  expect(await run.result()).toMatchObject({ attempt: 2 });
  const early = await env.client.start(fails, { id: "b", input: 2 });
  await env.advance("30m");
  await early.pause();
  await early.resume();
  await env.advance("20m");
  expect(await early.describe()).toMatchObject({ events: 1 });
  expect(await early.result()).toMatchObject({ attempt: 2 });
});

test("the run timeout is for all attempts: a pause that would pass it is not begun", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 99, timeout: "5h" });
  await expect(run.result()).rejects.toMatchObject({ status: "failed", cause: { message: "attempt 3" } });
  expect(await pausesOf(env, "a")).toEqual([HOUR, 2 * HOUR]);
  const [first, ...later] = await attemptsOf(env, "a");
  for (const { deadlineAt } of later) expect(deadlineAt).toBe(first?.deadlineAt);
  const sleeps = workflow("sleeps", async () => {
    await sleep("2h");
    throw new Error("again");
  });
  const other = await open([sleeps]);
  const late = await other.client.start(sleeps, { id: "late", retry, timeout: "4h" });
  await expect(late.result()).rejects.toMatchObject({ status: "timedOut" });
  expect(await attemptsOf(other, "late")).toHaveLength(2);
});

const data = defineAttributes({ customer: "keyword" });

test("the next attempt has attributes, memo, headers, queue and words for people from the one before", async () => {
  const carries = workflow("carries", async (word: string) => {
    const { attempt, headers, attributes, memo, queue } = workflowInfo();
    if (attempt > 1) return [word, headers, attributes, memo, queue];
    upsertAttributes(data({ customer: "changed" }));
    upsertMemo({ seen: 1 });
    await step("look", () => {});
    throw new Error("again");
  });
  const env = await open([carries]);
  const run = await env.client.start(carries, {
    input: "word",
    attributes: data({ customer: "first" }),
    memo: { kept: true },
    headers: { tenant: "t" },
    summary: "in a line",
    details: "at **length**",
    retry,
  });
  const result = ["word", { tenant: "t" }, { customer: "changed" }, { kept: true, seen: 1 }, "default"];
  expect(await run.result()).toEqual(result);
  const said = { staticSummary: "in a line", staticDetails: "at **length**", attempt: 2 };
  expect(await run.describe()).toMatchObject(said);
});

test("signals and updates that an attempt has not come to are the next one's, also when handlers were there for them", async () => {
  const collects = workflow("collects", async () => {
    const { attempt } = workflowInfo();
    const got: string[] = [];
    note.handle((word) => void got.push(`${word} in ${attempt}`));
    let isAdded = false;
    add.handle((n) => {
      isAdded = true;
      return `${n} in ${attempt}`;
    });
    if (attempt === 1) {
      await go.receive();
      throw new Error("again");
    }
    await condition(() => got.length === 2 && isAdded);
    return got;
  });
  const env = await open([collects]);
  const run = await env.client.start(collects, { retry });
  await env.advance(0);
  // In one piece, so that the run is told of what follows in the very turn in which it fails.
  const update = Promise.all([run.signal(go), run.signal(note, "one"), run.signal(note, "two")]).then(() =>
    run.update(add, 1),
  );
  expect(await run.result()).toEqual(["one in 2", "two in 2"]);
  expect(await update).toBe("1 in 2");
});

test("continuing as new begins at attempt 1 again and keeps the policy it was started with, or has another", async () => {
  type Input = { round: number; next?: number };
  const rounds = workflow("rounds", async ({ round, next }: Input): Promise<string> => {
    const { attempt } = workflowInfo();
    if (attempt < 2) throw new Error(`round ${round}`);
    if (round === 2) return `attempt ${attempt}`;
    return rounds.continueAsNew({ round: round + 1 }, next === undefined ? {} : { retry: { maxAttempts: next } });
  });
  const env = await open([rounds]);
  const run = await env.client.start(rounds, { id: "a", input: { round: 1 }, retry, timeout: "100h" });
  expect(await run.result()).toBe("attempt 2");
  const runs = await attemptsOf(env, "a");
  expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 1, 2]);
  // Each round has the whole timeout, each attempt of it what is left.
  const timeouts = runs.map(({ startedAt, deadlineAt }) => (deadlineAt ?? 0) - startedAt);
  expect(timeouts[2]).toBe(100 * HOUR);
  const other = await env.client.start(rounds, { id: "b", input: { round: 1, next: 1 }, retry });
  await expect(other.result()).rejects.toMatchObject({ cause: { message: "round 2" } });
  const after = workflow("after", async () => Promise.reject(new Error("after")));
  const before = workflow("before", async () => continueAsNew(after));
  const last = await open([before, after]);
  await expect((await last.client.start(before, { id: "c", retry })).result()).rejects.toMatchObject({
    status: "failed",
  });
  expect(await attemptsOf(last, "c")).toHaveLength(2);
});

test("a parent hears of its child's last attempt only, and the children of an attempt end with it", async () => {
  const inner = workflow("inner", async () => sleep("365 days"));
  const outer = workflow("outer", async () => {
    const { attempt } = workflowInfo();
    const child = startChild(inner, { id: `inner-${attempt}` });
    await child.started;
    if (attempt < 3) throw new Error("again");
    return attempt;
  });
  const parent = workflow("parent", async () => {
    const child = startChild(outer, { id: "outer", retry });
    const runId = await child.started;
    return [await child.result, runId];
  });
  const env = await open([parent, outer, inner]);
  const run = await env.client.start(parent);
  const [attempt, firstRunId] = (await run.result()) as [number, string];
  const attempts = await attemptsOf(env, "outer");
  expect([attempt, attempts.length, attempts[0]?.runId]).toEqual([3, 3, firstRunId]);
  await env.advance(0);
  for (const n of [1, 2, 3]) {
    expect(await env.client.getUntyped(`inner-${n}`).describe()).toMatchObject({ status: "terminated" });
  }
  const { events } = await collectHistory(run);
  expect(events.map(({ type }) => type)).toEqual([
    "RunStarted",
    "ChildRequested",
    "ChildStarted",
    "ChildEnded",
    "RunCompleted",
  ]);
});

test("a fork of an attempt is that attempt; a run that was tried in vain can be reset", async () => {
  const env = await open([fails]);
  const run = await env.client.start(fails, { id: "a", input: 3, retry: { ...retry, maxAttempts: 2 }, timeout: "9h" });
  await expect(run.result()).rejects.toMatchObject({ status: "failed" });
  const again = await run.reset({ at: 1, input: 2 });
  expect(await again.result()).toMatchObject({ attempt: 2, last: "attempt 1" });
  const { attempt, startedAt, deadlineAt } = await again.describe();
  expect([attempt, (deadlineAt ?? 0) - startedAt]).toEqual([2, 9 * HOUR]);
});

test("an attempt goes to another database as a file, and is tried again there", async () => {
  const [here, there] = [await open([fails]), await open([fails])];
  const run = await here.client.start(fails, { id: "a", input: 3 });
  await here.advance("30m");
  const file = await run.export();
  const imported = await there.client.importRun(file);
  expect(await imported.describe()).toMatchObject({ attempt: 2, workflowId: "a" });
  expect(await there.client.get(fails, "a").result()).toMatchObject({ attempt: 3, last: "attempt 2" });
  const bad = JSON.parse(JSON.stringify(file).replace('\\"attempt\\":2', '\\"attempt\\":0'));
  await expect(there.client.importRun(bad)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("histories of all attempts replay, from every prefix", async () => {
  const env = await open([fails]);
  await (await env.client.start(fails, { id: "a", input: 3 })).result();
  for (const { runId } of await attemptsOf(env, "a")) {
    const handle: RunHandle = env.client.getUntyped("a", runId);
    const history = await collectHistory(handle);
    await replayHistory(fails, history);
    for (let length = 1; length <= history.events.length; length++) {
      const again = await replay(fails, history.events.slice(0, length));
      await again.redeliver(history.events.slice(length));
      expect(again.engine.broken?.message).toBeUndefined();
    }
  }
});

test("code that no longer fails does not fit the history of an attempt that failed", async () => {
  const failure = { kind: "application", type: "Error", message: "no", retryable: true } as const;
  const started = { type: "RunStarted", workflow: "w", input: null, seed: "s", seq: 1, at: 1 } as const;
  const next = { nextRunId: "r", workflow: "w", input: null, retry: { attempt: 2, delayMs: 5, failure } };
  const ended = { type: "RunContinued", ...next, seq: 2, at: 1 } as const;
  const fine = await replay(workflow("w", async () => 1) as never, [started, ended]);
  expect(fine.engine.broken?.message).toContain("the code ended as completed");
  const same = workflow("w", async () => Promise.reject(new Error("no")), { retry });
  expect((await replay(same as never, [started, ended])).engine.broken).toBeUndefined();
});

test("what is delivered after the failure is kept for the next attempt, whoever waits for it", async () => {
  const code = workflow(
    "late",
    async () => {
      note.handle(() => {
        throw new Error("this attempt has ended");
      });
      await step("decide", () => {});
      throw new Error("again");
    },
    { retry },
  );
  const run = await runWorkflow(code);
  await run.completes("decide");
  await run.signals("note", "1");
  await run.cancels();
  expect(run.outcome).toMatchObject({ type: "failed" });
  expect(run.engine.retrying).toMatchObject({ attempt: 1 });
  expect(run.engine.mailToPassOn()).toEqual([1, 2]);
});

test("what cannot be a policy is refused, naming the field; one that is stored has no functions", async () => {
  const invalid = (field: string) =>
    expect.objectContaining({
      code: "ARGUMENT_INVALID",
      details: expect.objectContaining({ argument: `retry.${field}` }),
    });
  expect(() => workflow("w", async () => {}, { retry: { maxAttempts: 0 } })).toThrowError(invalid("maxAttempts"));
  const env = await open([fails]);
  const functions = { backoff: () => 1 } as never;
  await expect(env.client.start(fails, { input: 1, retry: functions })).rejects.toEqual(invalid("backoff"));
  const predicates = { nonRetryable: [() => true] } as never;
  await expect(env.client.start(fails, { input: 1, retry: predicates })).rejects.toEqual(invalid("nonRetryable"));
  await expect(env.client.start(fails, { input: 1, retry: { jitter: 2 } })).rejects.toEqual(invalid("jitter"));
});
