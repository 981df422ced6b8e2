// Waits that are cut short from outside, through real workers: what waits ends at once, once, whatever comes meanwhile, and the
// history tells it as it was.

import { beforeAll, expect, test } from "vitest";
import { crashEverywhere } from "../../runtime/testing/crash-everywhere.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  condition,
  continueAsNew,
  defineSignal,
  defineStep,
  parallel,
  race,
  type StepFailure,
  sleep,
  sleepUntil,
  step,
  waitForAny,
  withLock,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

beforeAll(installGuards);

const done = defineSignal<string>("done");

/** Fails until it is told not to, and waits long in between. */
function flaky(retry: { maxAttempts?: number } = {}) {
  const state = { isUp: false, attempts: 0 };
  const charge = defineStep(
    "charge",
    async (_: string) => {
      state.attempts++;
      if (!state.isUp) throw new Error("the provider is down");
      return "charged";
    },
    { retry: { initialInterval: "1h", jitter: 0, ...retry } },
  );
  return { state, charge, main: workflow("flaky", () => charge("card")) };
}

async function reaches(run: RunHandle, type: string, times = 1): Promise<void> {
  await eventually(`${times} ${type}`, async () => {
    return (await typesOf(run)).filter((each) => each === type).length === times;
  });
}

test("a step that waits for its next attempt is tried at once, and its attempts are counted on", async () => {
  const house = openHouse();
  const { state, charge, main } = flaky({ maxAttempts: 3 });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "StepAttemptFailed");
  const { pending } = await run.describe();
  expect(pending?.steps).toMatchObject([{ command: 1, name: "charge", attempt: 2, nextAttemptAt: expect.any(Number) }]);
  await run.retryNow(charge);
  await reaches(run, "StepAttemptFailed", 2);
  state.isUp = true;
  await run.retryNow(1);
  expect(await run.result()).toBe("charged");
  expect(state.attempts).toBe(3);
  const history = await historyOf(run);
  expect(history).toMatchObject([
    { type: "RunStarted" },
    { type: "StepAttemptFailed", attempt: 1 },
    { type: "StepRetried", command: 1, name: "charge", attempt: 2, mail: 1 },
    { type: "StepAttemptFailed", attempt: 2 },
    { type: "StepRetried", attempt: 3, mail: 2 },
    { type: "StepCompleted", attempt: 3 },
    { type: "RunCompleted" },
  ]);
  for (let length = 1; length < history.length; length++) {
    const part = await replay(main, history.slice(0, length), { foreseen: history });
    await part.redeliver(history.slice(length, -1));
    expect(part.result).toBe("charged");
  }
});

test("the last attempt stays the last", async () => {
  const house = openHouse();
  const { main } = flaky({ maxAttempts: 2 });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "StepAttemptFailed");
  await run.retryNow();
  const failure: unknown = await run.result().catch((error: Error) => error.cause);
  expect((failure as StepFailure).attempts).toBe(2);
});

test("parked, without a worker and paused: the request is kept, and carried out when the run goes on", async () => {
  const house = openHouse();
  const { state, main } = flaky();
  const worker = await house.startWorker([main], { lingerMs: 1 });
  const [parked, paused] = [await house.client.start(main), await house.client.start(main)];
  await eventually("both are parked", () => worker.stats.parked === 2);
  await worker.stop();
  state.isUp = true;
  await paused.pause("not yet");
  await Promise.all([parked.retryNow(), paused.retryNow("charge")]);
  await house.startWorker([main]);
  expect(await parked.result()).toBe("charged");
  expect(await typesOf(paused)).not.toContain("StepRetried");
  await paused.resume();
  expect(await paused.result()).toBe("charged");
  expect(await typesOf(paused)).toEqual([
    "RunStarted",
    "StepAttemptFailed",
    "RunPaused",
    "StepRetried",
    "RunResumed",
    "StepCompleted",
    "RunCompleted",
  ]);
});

test("when nothing waits the caller is told so, and nothing is stored", async () => {
  const house = openHouse();
  const gate = defineSignal("gate");
  const body = { release: () => {} };
  const main = workflow("patient", async () => {
    await gate.receive({ timeout: "1 day" });
    await step("slow", () => new Promise<void>((release) => Object.assign(body, { release })));
    return step<string>("sign", ({ completeLater }) => completeLater());
  });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "TimerStarted");
  for (const which of [undefined, "slow", 2, "none"]) {
    await expect(run.retryNow(which)).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  }
  // The timer there is bounds a wait: it is meant by its number alone.
  await expect(run.skipSleep()).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
  await expect(run.skipSleep("sleep")).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
  await expect(run.skipSleep(2)).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
  for (const bad of ["receive gate", "", 0, -1, 1.5, Number.NaN, {} as never]) {
    await expect(run.skipSleep(bad)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  await run.signal(gate);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  await expect(run.retryNow()).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  body.release();
  await reaches(run, "StepDeferred");
  await expect(run.retryNow("sign")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await run.completeStep("sign", "Ann");
  expect(await run.result()).toBe("Ann");
  await expect(run.retryNow()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await expect(run.skipSleep()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await expect(house.client.getUntyped("nobody").retryNow()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect(await typesOf(run)).not.toContain("RequestIgnored");
});

test("all that wait are tried by one request, and those of one name or number alone", async () => {
  const house = openHouse();
  const up = new Set<string>();
  const ask = (name: string) =>
    step(
      name,
      () => {
        if (!up.has(name)) throw new Error(`${name} is down`);
        return name;
      },
      { retry: { initialInterval: "1h", jitter: 0 } },
    );
  const main = workflow("many", () => Promise.all([ask("a"), ask("b"), ask("a"), ask("c")]));
  await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main);
  await reaches(run, "StepAttemptFailed", 4);
  await run.retryNow("a");
  await reaches(run, "StepAttemptFailed", 6);
  for (const name of ["a", "b", "c"]) up.add(name);
  await run.retryNow(4);
  await reaches(run, "StepCompleted");
  await run.retryNow();
  expect(await run.result()).toEqual(["a", "b", "a", "c"]);
  const told = (await historyOf(run)).filter((event) => event.type === "StepRetried");
  expect(told.map(({ command, attempt, mail }) => [command, attempt, mail])).toEqual([
    [1, 2, 1],
    [3, 2, 1],
    [4, 2, 2],
    [1, 3, 3],
    [2, 2, 3],
    [3, 3, 3],
  ]);
});

test("more waits than a turn has room for end together: no crash leaves half of them", async () => {
  const house = openHouse();
  let isUp = false;
  const body = () => {
    if (!isUp) throw new Error("down");
  };
  const main = workflow("crowd", async () => {
    const all = Array.from({ length: 1_200 }, () => step("one", body, { retry: { initialInterval: "1h", jitter: 0 } }));
    await parallel(all.map((each) => () => each));
    return "all";
  });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "StepAttemptFailed", 1_200);
  isUp = true;
  await run.retryNow();
  expect(await run.result()).toBe("all");
  const at = (await historyOf(run)).flatMap((event) => (event.type === "StepRetried" ? [event.at] : []));
  expect(at).toHaveLength(1_200);
  expect(new Set(at).size).toBe(1);
});

test("a request with the same id is heard once, also after the run has ended", async () => {
  const house = openHouse();
  const { state, main } = flaky();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "StepAttemptFailed");
  await run.retryNow(undefined, { requestId: "click" });
  await reaches(run, "StepAttemptFailed", 2);
  await run.retryNow(undefined, { requestId: "click" });
  expect(await run.describe()).toMatchObject({ unreadMail: 0, events: 4 });
  state.isUp = true;
  await run.retryNow("charge", { requestId: "another" });
  await run.result();
  await run.retryNow("charge", { requestId: "click" });
  await expect(run.retryNow("charge", { requestId: "late" })).rejects.toMatchObject({ code: "RUN_CLOSED" });
});

test("a request that is still in the mailbox is known by its id, also when its wait is over by itself", async () => {
  const house = openHouse();
  const main = workflow("short", async () => {
    await sleep(300);
    return "awake";
  });
  const worker = await house.startWorker([main], { lingerMs: 1, keepIfDueWithinMs: 0 });
  const run = await house.client.start(main);
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  await run.skipSleep("sleep", { requestId: "click" });
  const due = ((await historyOf(run))[1]?.at ?? 0) + 300;
  await eventually("its time has come", () => Date.now() > due);
  await run.skipSleep("sleep", { requestId: "click" });
  await expect(run.skipSleep("sleep")).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
  await house.startWorker([main]);
  expect(await run.result()).toBe("awake");
  // When the run is taken up its timer is due already.
  const types = await typesOf(run);
  expect(types).toEqual(expect.arrayContaining(["TimerFired", "RequestIgnored"]));
  expect(types).not.toContain("TimerSkipped");
});

test("sleeps end before their time, and the history says so; a limit does by its number", async () => {
  const house = openHouse();
  const main = workflow("sleeper", async () => {
    const began = Date.now();
    await sleep("1 day");
    await sleepUntil(Date.now() + 86_400_000);
    await new Promise((resolve) => setTimeout(resolve, 86_400_000));
    const slept = Date.now() - began < 86_400_000;
    const received = await done.receive({ timeout: "1 day" });
    const held = await condition(() => false, { timeout: "1 day" });
    const limited = await withTimeout("1 day", () => done.receive()).catch((error: Error) => error.name);
    return [slept, received, held, limited];
  });
  await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main);
  for (const [index, which] of [undefined, "sleep", "setTimeout", 4, 5, 6].entries()) {
    await reaches(run, "TimerStarted", index + 1);
    const { pending } = await run.describe();
    expect(pending?.timers).toMatchObject([{ command: index + 1, isLimit: index > 2 }]);
    await run.skipSleep(which);
  }
  expect(await run.result()).toEqual([true, undefined, false, "TimeoutFailure"]);
  const history = await historyOf(run);
  expect(history.filter(({ type }) => type === "TimerFired")).toEqual([]);
  expect(history.flatMap((event) => (event.type === "TimerSkipped" ? [event.name] : []))).toEqual([
    "sleep",
    "sleep",
    "setTimeout",
    "receive done",
    "condition",
    "timeout",
  ]);
  for (let length = 1; length < history.length; length++) {
    const part = await replay(main, history.slice(0, length), { foreseen: history });
    await part.redeliver(history.slice(length, -1));
    expect(part.result).toEqual([true, undefined, false, "TimeoutFailure"]);
  }
});

test("what bounds the wait for one of several things, or for a lock, is a limit too", async () => {
  const house = openHouse();
  const holder = workflow("holder", () => withLock("dock", () => done.receive()));
  const main = workflow("bounded", async () => {
    const first = await waitForAny({ done }, { timeout: "1 day" });
    const late = withLock("dock", () => "held", { timeout: "1 day" });
    return [first, await late.catch((error: Error) => error.name)];
  });
  await house.startWorker([holder, main]);
  const holding = await house.client.start(holder);
  await reaches(holding, "LockGranted");
  const run = await house.client.start(main);
  for (const times of [1, 2]) {
    await reaches(run, "TimerStarted", times);
    const { pending } = await run.describe();
    const [timer] = pending?.timers ?? [];
    expect(timer).toMatchObject({ name: times === 1 ? "waitForAny" : "lock dock", isLimit: true });
    await expect(run.skipSleep()).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
    await run.skipSleep(timer?.command);
  }
  expect(await run.result()).toEqual([undefined, "TimeoutFailure"]);
});

test("a sleep that the code has taken back is none: the request is recorded as ignored", async () => {
  const house = openHouse();
  const main = workflow("raced", async () => {
    const { winner } = await race({ time: () => sleep("1 day"), word: () => done.receive() });
    return [winner, await done.receive()];
  });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "TimerStarted");
  await run.signal(done, "first");
  await reaches(run, "SignalReceived");
  await run.skipSleep();
  await reaches(run, "RequestIgnored");
  await run.signal(done, "second");
  expect(await run.result()).toEqual(["word", "second"]);
  expect((await historyOf(run)).find(({ type }) => type === "RequestIgnored")).toMatchObject({ request: "skipSleep" });
});

test("of what races with a skip one comes first, for every order in which they come", async () => {
  for (const order of ["skip first", "signal first"] as const) {
    const house = openHouse();
    const main = workflow("raced", async () => {
      const { winner } = await race({ time: () => sleep("1 day"), word: () => done.receive() });
      return winner;
    });
    const worker = await house.startWorker([main], { lingerMs: 1 });
    const run = await house.client.start(main);
    await eventually("parked", () => worker.stats.parked === 1);
    await worker.stop();
    if (order === "signal first") await run.signal(done, "word");
    await run.skipSleep();
    if (order === "skip first") await run.signal(done, "word");
    await house.startWorker([main]);
    expect(await run.result()).toBe(order === "skip first" ? "time" : "word");
    const types = await typesOf(run);
    expect(types).toContain(order === "skip first" ? "TimerSkipped" : "RequestIgnored");
    const mails = (await historyOf(run)).flatMap((event) => ("mail" in event ? [event.mail] : []));
    expect(mails).toEqual([1, 2]);
  }
});

test("a canceled step is not tried again by a request that comes after the cancel", async () => {
  const house = openHouse();
  const { state, main } = flaky();
  const worker = await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main);
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  await run.cancel();
  await run.retryNow();
  await house.startWorker([main]);
  await expect(run.result()).rejects.toMatchObject({ status: "canceled" });
  expect(state.attempts).toBe(1);
  expect(await typesOf(run)).toContain("RequestIgnored");
});

test("a request that a run does not come to before it continues as new does not pass to the next", async () => {
  const house = openHouse();
  let isUp = false;
  const main = workflow("chain", async (round: number): Promise<string> => {
    if (round > 1) return "the last";
    const failing = step("failing", () => (isUp ? 1 : Promise.reject(new Error("down"))), {
      retry: { initialInterval: "1h", jitter: 0 },
    });
    await Promise.race([failing, done.receive()]);
    return continueAsNew(round + 1);
  });
  const worker = await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main, { input: 1 });
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  isUp = true;
  await run.signal(done, "go on");
  await run.retryNow();
  await house.startWorker([main]);
  expect(await run.result()).toBe("the last");
});

test("a fork keeps what was retried and skipped, and waits that were cut short are over in it", async () => {
  const house = openHouse();
  const { state, charge } = flaky();
  const main = workflow("both", async () => {
    await sleep("1 day");
    return charge("card");
  });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await reaches(run, "TimerStarted");
  await run.skipSleep();
  await reaches(run, "StepAttemptFailed");
  state.isUp = true;
  await run.retryNow();
  await run.result();
  const at = (await historyOf(run)).find(({ type }) => type === "StepRetried")?.seq ?? 0;
  const fork = await run.fork({ id: "again", at });
  expect(await fork.result()).toBe("charged");
  expect((await typesOf(fork)).slice(0, at + 1)).toEqual([...(await typesOf(run)).slice(0, at), "RunForked"]);
});

test("an exported run with an untaken request goes on elsewhere, and takes it there", async () => {
  const [here, there] = [openHouse(), openHouse()];
  const { state, main } = flaky();
  const worker = await here.startWorker([main], { lingerMs: 1 });
  const run = await here.client.start(main);
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  await run.retryNow();
  const file = await run.export();
  expect(file.mail).toMatchObject([{ kind: "retryNow", mail: 1 }]);
  const imported = await there.client.importRun(JSON.parse(JSON.stringify(file)));
  state.isUp = true;
  await there.startWorker([main]);
  expect(await imported.result()).toBe("charged");
  const events = (await imported.export()).events.map(fromRecord);
  expect(events.map((event) => event?.type)).toContain("StepRetried");
});

test("no crash changes how waits are cut short", async () => {
  const crashing = workflow("crashing", async () => {
    const tried = await step("try", ({ attempt }) => (attempt > 1 ? attempt : Promise.reject(new Error("once"))), {
      retry: { initialInterval: "2 days", jitter: 0 },
    });
    await sleep("3 days");
    return tried;
  });
  const report = await crashEverywhere(crashing, {
    script: async (run, env) => {
      await env.advance("1h");
      await run.retryNow("try", { requestId: "r" });
      await env.advance("1h");
      await run.skipSleep("sleep", { requestId: "s" });
    },
  });
  expect(report.crashes).toBe(report.places);
});

test("what is no wait, in mail that came with a file, is ignored", async () => {
  const house = openHouse();
  const main = workflow("patient", async () => {
    await sleep("1 day");
    return "awake";
  });
  const worker = await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main);
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  const to = { runId: run.runId ?? "" };
  const payloads = ["5", "null", "{}", "[null,7,{}]", '[{"command":"1"}]', '[{"command":99}]'];
  await house.store.sendMail(
    payloads.map((payload, index) => ({ to, kind: "skipSleep", mailId: `skipSleep:${index}`, name: "", payload })),
  );
  await run.skipSleep();
  await house.startWorker([main]);
  expect(await run.result()).toBe("awake");
  const types = await typesOf(run);
  expect(types.filter((type) => type === "RequestIgnored")).toHaveLength(payloads.length);
});
