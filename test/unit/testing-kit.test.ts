// The kit that authors test their workflows with: time that is skipped, histories that are replayed.

import {
  condition,
  defineQuery,
  defineSignal,
  executeChild,
  PermanentError,
  sleep,
  sleepUntil,
  startChild,
  step,
  transaction,
  workflow,
  workflowInfo,
} from "everstep";
import { collectHistory, replayHistory, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";

const DAY = 86_400_000;
const START = new Date("2030-01-01T00:00:00Z");

async function open(workflows: TestEnvironmentOptions["workflows"], options: Partial<TestEnvironmentOptions> = {}) {
  const env = await testEnvironment({ workflows, startAt: START, ...options });
  onTestFinished(() => env.stop());
  return env;
}

/** Days and parts of them since the start, as the history has them. */
const daysSince = (at: number) => (at - START.getTime()) / DAY;

// ---------------------------------------------------------------- time

test("a sleep of a year ends at once, and a year later", async () => {
  const yearly = workflow("yearly", async () => {
    const before = Date.now();
    await sleep("365 days");
    return { before, after: new Date() };
  });
  const env = await open([yearly]);
  const run = await env.client.start(yearly);
  const { before, after } = await run.result();
  expect(before).toBe(START.getTime());
  expect(after).toEqual(new Date("2031-01-01T00:00:00Z"));
  expect(env.now()).toEqual(after);
});

test("hundreds of wakings in the life of one run, each at its time", async () => {
  const daily = workflow("daily", async () => {
    const days: number[] = [];
    for (let day = 0; day < 300; day++) {
      await sleep("1 day");
      days.push(daysSince(Date.now()));
    }
    return days;
  });
  const env = await open([daily]);
  const run = await env.client.start(daily);
  expect(await run.result()).toEqual(Array.from({ length: 300 }, (_, day) => day + 1));
});

test("children sleep, run out of time and end with their parent, and a run continues as new, in skipped time", async () => {
  const sleeper = workflow("sleeper", async (days: number) => {
    await sleep(days * DAY);
    return daysSince(Date.now());
  });
  const parent = workflow("parent", async (round: number): Promise<unknown[]> => {
    if (round < 2) {
      await sleep("1 day");
      parent.continueAsNew(round + 1);
    }
    startChild(sleeper, { input: 400, id: "left behind" });
    const late = startChild(sleeper, { input: 30, timeout: "10 days" });
    const slow = await executeChild(sleeper, { input: 20 });
    return [slow, await late.result.catch((error) => error.cause.name), daysSince(Date.now())];
  });
  const env = await open([parent, sleeper]);
  const run = await env.client.start(parent, { input: 0 });
  expect(await run.result()).toEqual([22, "TimeoutFailure", 22]);
  await expect(env.client.get(sleeper, "left behind").result()).rejects.toMatchObject({ status: "terminated" });
});

test("a signal comes in time, or the time runs out", async () => {
  const approve = defineSignal<string>("approve");
  const asking = workflow("asking", async () => (await approve.receive({ timeout: "7 days" })) ?? "nobody");
  const env = await open([asking]);
  const [asked, forgotten] = await env.client.startMany(asking, [{}, {}]);
  await env.advance("6 days");
  await asked?.signal(approve, "ann");
  expect(await asked?.result()).toBe("ann");
  expect(daysSince(env.now().getTime())).toBe(6);
  expect(await forgotten?.result()).toBe("nobody");
  expect(daysSince(env.now().getTime())).toBe(7);
});

test("the pauses between attempts are skipped", async () => {
  const attempts: number[] = [];
  const stubborn = workflow("stubborn", () =>
    step(
      "flaky",
      ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 5) throw new Error("not yet");
        return attempt;
      },
      { retry: { initialInterval: "1h", coefficient: 2, maxInterval: "1 day", jitter: 0, maxAttempts: 5 } },
    ),
  );
  const env = await open([stubborn]);
  expect(await (await env.client.start(stubborn)).result()).toBe(5);
  expect(attempts).toEqual([1, 2, 3, 4, 5]);
  expect(env.now().getTime() - START.getTime()).toBe((1 + 2 + 4 + 8) * 3_600_000);
});

test("environments side by side have times of their own", async () => {
  const waiting = workflow("waiting", async (days: number) => {
    await sleep(days * DAY);
    return new Date();
  });
  const [one, other] = await Promise.all([open([waiting]), open([waiting], { startAt: 0 })]);
  const [first, second] = await Promise.all([
    one.client.start(waiting, { input: 30 }).then((run) => run.result()),
    other.client.start(waiting, { input: 2 }).then((run) => run.result()),
  ]);
  expect(first).toEqual(new Date("2030-01-31T00:00:00Z"));
  expect(second).toEqual(new Date("1970-01-03T00:00:00Z"));
  expect([one.now(), other.now()]).toEqual([first, second]);
});

test("time is advanced bit by bit, and what is due happens in order", async () => {
  const said: string[] = [];
  const counted = defineQuery<number>("counted");
  const ticking = workflow("ticking", async ({ name, every }: { name: string; every: number }) => {
    let count = 0;
    counted.handle(() => count);
    for (;;) {
      await sleep(every * DAY);
      count += 1;
      await step("say", () => void said.push(`${name}${count}`));
    }
  });
  const env = await open([ticking]);
  const twos = await env.client.start(ticking, { input: { name: "two", every: 2 } });
  await env.client.start(ticking, { input: { name: "three", every: 3 } });
  await env.advance("1 day");
  expect(said).toEqual([]);
  await env.advance("1 day");
  expect(said).toEqual(["two1"]);
  await env.advance("3 days");
  expect(said).toEqual(["two1", "three1", "two2"]);
  expect(await twos.query(counted)).toBe(2);
  expect(daysSince(env.now().getTime())).toBe(5);
});

test("time stands while nobody waits, and while a step is under way", async () => {
  let release = () => {};
  const slow = workflow("slow", async () => {
    await step("work", () => new Promise<void>((resolve) => (release = resolve)), { timeout: "1m" });
    await sleep("1h");
  });
  const env = await open([slow]);
  const run = await env.client.start(slow);
  const result = run.result();
  // Many rounds of the event loop, in which nothing may happen.
  for (let round = 0; round < 500; round++) await new Promise((resolve) => setImmediate(resolve));
  expect(env.now()).toEqual(START);
  release();
  await result;
  expect(env.now().getTime() - START.getTime()).toBe(3_600_000);
});

test("a step that hangs runs into its timeout when time is advanced past it", async () => {
  const hanging = workflow("hanging", () =>
    step("hang", ({ signal }) => new Promise<void>((_, reject) => signal.addEventListener("abort", reject)), {
      timeout: "10s",
      retry: { maxAttempts: 1 },
    }),
  );
  const env = await open([hanging]);
  const run = await env.client.start(hanging);
  await env.advance("10s", { pastSteps: true });
  await expect(run.result()).rejects.toThrow('step "hang" ran longer than its timeout of 10000 ms');
});

test("a run is closed when its timeout is over, and its steps are told", async () => {
  const told: unknown[] = [];
  const endless = workflow("endless", async (isAsleep: boolean) => {
    if (isAsleep) await condition(() => false);
    await step(
      "hang",
      ({ signal }) =>
        new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => {
            told.push(signal.reason);
            resolve();
          }),
        ),
    );
  });
  const env = await open([endless]);
  const asleep = await env.client.start(endless, { input: true, timeout: "30 days" });
  await expect(asleep.result()).rejects.toMatchObject({ code: "RUN_FAILED", status: "timedOut" });
  expect(daysSince(env.now().getTime())).toBe(30);

  const busy = await env.client.start(endless, { input: false, timeout: "1h" });
  await env.advance("1h", { pastSteps: true });
  await expect(busy.result()).rejects.toMatchObject({ status: "timedOut" });
  const ended = await env.client.start(endless, { input: false, id: "replaced" });
  await env.advance(0, { pastSteps: true });
  const next = await env.client.start(endless, { input: false, id: "replaced", onConflict: "terminateExisting" });
  await expect(ended.result()).rejects.toMatchObject({ status: "terminated" });
  await env.advance(0, { pastSteps: true });
  await next.terminate();
  await env.advance(0);
  expect(told).toMatchObject([{ code: "LEASE_LOST" }, { code: "LEASE_LOST" }, { code: "LEASE_LOST" }]);
});

test("the end of a result's own timeout is reached as well", async () => {
  const endless = workflow("endless", () => condition(() => false));
  const env = await open([endless]);
  const run = await env.client.start(endless);
  await expect(run.result({ timeout: "1 day" })).rejects.toMatchObject({ code: "RUN_STILL_OPEN" });
  expect(daysSince(env.now().getTime())).toBe(1);
});

test("a start is delayed, a date is slept for, a run is canceled", async () => {
  const newYear = workflow("new year", async () => {
    const begunAt = daysSince(workflowInfo().startedAt.getTime());
    await sleepUntil(new Date("2030-02-01T00:00:00Z"));
    return { begunAt, at: new Date() };
  });
  const env = await open([newYear]);
  const run = await env.client.start(newYear, { delay: "10 days" });
  const canceled = await env.client.start(newYear);
  await env.advance("3 days");
  await canceled.cancel();
  await expect(canceled.result()).rejects.toMatchObject({ status: "canceled" });
  expect(daysSince(env.now().getTime())).toBe(3);
  expect((await run.result()).at).toEqual(new Date("2030-02-01T00:00:00Z"));
});

test("a run answers and describes itself while it is let go of, and when it is blocked", async () => {
  const asked = defineQuery<string>("asked");
  const idle = workflow("idle", async (isForeign: boolean) => {
    asked.handle(() => "here");
    await (isForeign ? new Promise(() => {}) : condition(() => false));
  });
  const env = await open([idle]);
  const [run, blocked] = await env.client.startMany(idle, [{ input: false }, { input: true }]);
  await env.advance("1 day");
  expect(await run?.query(asked)).toBe("here");
  expect(await run?.describe()).toMatchObject({ status: "running", ownerId: null, pending: { conditions: 1 } });
  expect(await blocked?.describe()).toMatchObject({ status: "blocked", blocked: { kind: "foreignWait" } });
  await expect(blocked?.query(asked)).rejects.toMatchObject({ code: "DIVERGENCE" });
  expect(daysSince(env.now().getTime())).toBe(1);
  const unserved = await env.client.start(idle, { input: false, queue: "elsewhere" });
  await expect(unserved.query(asked)).rejects.toMatchObject({ code: "QUERY_TIMED_OUT" });
  await blocked?.terminate();
  await expect(blocked?.result()).rejects.toMatchObject({ status: "terminated" });
});

test("a step sees the real time, a workflow the environment's", async () => {
  const timely = workflow("timely", async () => [Date.now(), await step("now", () => Date.now())]);
  const env = await open([timely], { startAt: 0 });
  const before = Date.now();
  const [inWorkflow, inStep] = await (await env.client.start(timely)).result();
  expect(inWorkflow).toBe(0);
  expect(inStep).toBeGreaterThanOrEqual(before);
});

// ---------------------------------------------------------------- what cannot go on

test("a workflow that is not deterministic rejects with the divergence when it wakes", async () => {
  let isFirst = true;
  const fickle = workflow("fickle", async () => {
    if (isFirst) await step("once", () => {});
    isFirst = false;
    await sleep("1h");
  });
  const env = await open([fickle]);
  const run = await env.client.start(fickle);
  await expect(run.result()).rejects.toMatchObject({ code: "DIVERGENCE" });
  await expect(run.result()).rejects.toThrow(/StepCompleted\("once"\).*testing-kit\.test\.ts/);
});

test("what workflow code does not wait for in its history is said", async () => {
  const foreign = workflow("foreign", () => new Promise<void>(() => {}));
  const env = await open([foreign]);
  await expect((await env.client.start(foreign)).result()).rejects.toMatchObject({ code: "FOREIGN_WAIT" });
});

test("a run of a workflow that is not there says so", async () => {
  const here = workflow("here", async () => 1);
  const elsewhere = workflow("elsewhere", async () => 1);
  const env = await open([here]);
  await expect((await env.client.start(elsewhere)).result()).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
});

test("a transaction step rejects without a transaction, and commits one that is given", async () => {
  const paying = workflow("paying", () =>
    transaction("pay", async (tx) => (await tx.query("select 1")).rows.length, { retry: { maxAttempts: 1 } }),
  );
  const without = await open([paying]);
  const failed = (await without.client.start(paying)).result();
  await expect(failed).rejects.toThrow("this run is kept in memory");

  const said: string[] = [];
  const env = await open([paying], {
    transaction: () => ({
      query: async (text) => {
        said.push(text);
        return { rows: [{}], rowCount: 1 };
      },
      commit: () => void said.push("commit"),
      rollback: () => void said.push("rollback"),
    }),
  });
  expect(await (await env.client.start(paying)).result()).toBe(1);
  expect(said).toEqual(["select 1", "commit"]);
});

test("what is wrong with the options is said at once", async () => {
  await expect(testEnvironment({ workflows: [] })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
  const some = workflow("some", async () => {});
  const invalid = testEnvironment({ workflows: [some], startAt: new Date("no date") });
  await expect(invalid).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a stopped environment lets go of all that waits in it", async () => {
  const endless = workflow("endless", async (isBusy: boolean) => {
    if (isBusy) await step("hang", () => new Promise(() => {}));
    await condition(() => false);
  });
  const env = await testEnvironment({ workflows: [endless] });
  const runs = await env.client.startMany(endless, [{ input: true }, { input: false }]);
  const results = Promise.allSettled(runs.map((run) => run.result()));
  const advance = env.advance("1 day");
  const stopped = Promise.all([env.stop(), env.stop()]);
  await expect(advance).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await stopped;
  const reason = expect.objectContaining({ code: "RUN_STILL_OPEN" });
  expect(await results).toEqual([
    { status: "rejected", reason },
    { status: "rejected", reason },
  ]);
  await expect(env.advance(0)).rejects.toThrow("was stopped");
});

// ---------------------------------------------------------------- replay

const go = defineSignal<{ on: Date }>("go");
const trip = workflow("trip", async (to: string) => {
  const ticket = await step("book", () => `ticket to ${to}`);
  const signal = await go.receive({ timeout: "1 day" });
  await sleep("2 days");
  await step(`travel under ${workflowInfo().workflowId}`, () => {});
  return { ticket, on: signal?.on };
});

async function recordTrip() {
  const env = await open([trip]);
  const run = await env.client.start(trip, { id: "trip-1", input: "Rome" });
  await run.signal(go, { on: START });
  await run.result();
  return collectHistory(run);
}

test("a history fits the code that made it: as it was collected, as JSON, its events alone", async () => {
  const history = await recordTrip();
  expect(history).toMatchObject({ workflow: "trip", workflowId: "trip-1", queue: "default", deadlineAt: null });
  await replayHistory(trip, history);
  await replayHistory(trip, JSON.stringify(history));
  await replayHistory(trip, JSON.parse(JSON.stringify(history)));
  for (let length = 1; length <= history.events.length; length++) {
    await replayHistory(trip, { ...history, events: history.events.slice(0, length) });
  }
  const open = history.events.slice(0, 3);
  await replayHistory(trip, open);
});

test("code that no longer fits a history is refused with both sides and the place", async () => {
  const history = await recordTrip();
  const changed = workflow("trip", async (to: string) => {
    await step("reserve", () => to);
  });
  const refused = replayHistory(changed, history);
  await expect(refused).rejects.toMatchObject({
    code: "DIVERGENCE",
    details: { seq: 2, recorded: 'StepCompleted("book") for command 1', asked: expect.stringContaining("reserve") },
  });
  await expect(refused).rejects.toThrow(/at .*testing-kit\.test\.ts:\d+/);

  const other = workflow("trip", async (to: string) => {
    const { ticket } = (await trip.main(to)) as { ticket: string };
    return { ticket };
  });
  await expect(replayHistory(other, history)).rejects.toThrow("the code returned another result");
  const hasty = workflow("trip", () => Promise.reject(new PermanentError("no")));
  await expect(replayHistory(hasty, history)).rejects.toMatchObject({ code: "DIVERGENCE" });
});

test("what is no history, or another workflow's, is refused", async () => {
  const { events } = await recordTrip();
  const elsewhere = workflow("elsewhere", async () => {});
  await expect(replayHistory(elsewhere, events)).rejects.toThrow('one of workflow "trip"');
  const [first = {}, ...rest] = events;
  for (const wrong of ["{", "null", "3", "[]", "[null]", [{}], rest, [first, first], [{ ...first, type: "Odd" }]]) {
    await expect(replayHistory(trip, wrong)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
});
