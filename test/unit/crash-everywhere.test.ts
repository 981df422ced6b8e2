// A workflow whose worker is killed everywhere: what keeps its part passes, what does not is named with the place.

import { defineSignal, patched, sleep, step, workflow } from "everstep";
import { collectHistory, crashEverywhere, replayEveryPrefix, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";

const approve = defineSignal<string>("approve");

const order = workflow("order", async (item: string) => {
  const receipt = await step("charge", ({ attempt }) => {
    if (attempt === 1) throw new Error("the bank is slow");
    return `receipt for ${item}`;
  });
  const by = await approve.receive({ timeout: "7 days" });
  if (by === undefined) return { outcome: "expired" as const };
  await sleep("1 day");
  const [label, mail] = await Promise.all([step("label", () => "a label"), step("mail", () => "a mail")]);
  return { outcome: "shipped" as const, receipt, label, mail, by };
});

test("every event and every body is a place to die, and the run ends the same", async () => {
  const report = await crashEverywhere(order, {
    input: "a book",
    script: async (run, env) => {
      await env.advance("2 days");
      await run.signal(approve, "ann");
    },
  });
  expect(report.history.events.map(({ type }) => type)).toEqual([
    "RunStarted",
    "StepAttemptFailed",
    "StepCompleted",
    "TimerStarted",
    "SignalReceived",
    "TimerStarted",
    "TimerFired",
    "StepCompleted",
    "StepCompleted",
    "RunCompleted",
  ]);
  // Ten events; two bodies of charge, one of label, one of mail.
  expect(report).toMatchObject({ places: 14, crashes: 14, seed: 1 });
});

test("a run that fails, one that is canceled and one that times out fail, cancel and time out after every crash", async () => {
  const failing = workflow("failing", () =>
    step("fail", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 2 } }),
  );
  expect(await crashEverywhere(failing)).toMatchObject({ places: 6, crashes: 6 });
  const idle = workflow("idle", async () => {
    await step("begin", () => 1);
    await sleep("100 days");
  });
  const canceled = await crashEverywhere(idle, { script: (run) => run.cancel("enough") });
  expect(canceled.history.events.at(-1)?.type).toBe("RunCanceled");
  expect(canceled.crashes).toBe(canceled.places);
  const timedOut = await crashEverywhere(idle, { start: { timeout: "3 days" } });
  expect(timedOut.history.events.at(-1)?.type).toBe("RunTimedOut");
  expect(timedOut.crashes).toBe(timedOut.places);
});

test("a step that is not idempotent is found out, with the place", async () => {
  let balance = 0;
  const careless = workflow("careless", async () => {
    await step("look", () => 1);
    return step("deposit", () => (balance += 10));
  });
  const crashing = crashEverywhere(careless, {
    prepare: () => {
      balance = 0;
    },
  });
  await expect(crashing).rejects.toMatchObject({
    name: "AssertionError",
    message:
      'With its worker killed after the body of step "deposit", command 2, attempt 1, before its commit, other steps were recorded.\n' +
      '  Without the crash: StepCompleted "deposit": 10\n  With it: StepCompleted "deposit": 20',
    expected: expect.arrayContaining(['StepCompleted "deposit": 10']),
    actual: expect.arrayContaining(['StepCompleted "deposit": 20']),
  });
});

test("code that is not deterministic is found out, with the place and the divergence", async () => {
  let executions = 0;
  const fickle = workflow("fickle", async () => {
    await step(executions++ === 2 ? "two" : "one", () => {});
    return "done";
  });
  // The first execution is the calm one, the second replays its prefixes.
  await expect(crashEverywhere(fickle)).rejects.toThrow(
    /^Replayed up to event 1, RunStarted, .*\n {2}One by one: step "one".*\n {2}Replayed: step "two"/,
  );
  executions = 3;
  let crash = 0;
  const outside = workflow("outside", async () => {
    const isLate = crash > 3;
    await step("one", () => {});
    return isLate;
  });
  const crashing = crashEverywhere(outside, { prepare: () => void crash++ });
  await expect(crashing).rejects.toThrow(
    /^With its worker killed after event 3, RunCompleted, the run ended otherwise/,
  );
});

test("a run that does not end says what it waits for", async () => {
  const waiting = crashEverywhere(order, { input: "a book", within: "5 days" });
  await expect(waiting).rejects.toMatchObject({ code: "RUN_STILL_OPEN" });
  await expect(waiting).rejects.toThrow(/did not end within 5 days of its time\..*signal "approve"/);
});

test("of a long history so many places are drawn, by a seed", async () => {
  const long = workflow("long", async () => {
    for (let index = 0; index < 20; index++) await step("one", () => index);
  });
  const report = await crashEverywhere(long, { maxCrashes: 5, seed: 7 });
  expect(report).toMatchObject({ places: 42, crashes: 5, seed: 7 });
  await expect(crashEverywhere(long, { maxCrashes: 0 })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("every prefix is replayed, and one at which the code waits for something else is named", async () => {
  const { history } = await crashEverywhere(order, { input: "a book" });
  await replayEveryPrefix(order, history);
  await replayEveryPrefix(order, JSON.stringify(history), { maxPrefixes: 3, seed: 5 });
  let replays = 0;
  const changed = workflow("order", async () => {
    const isOdd = replays++ === 2;
    await step("charge", () => "");
    await (isOdd ? step("label", () => "") : approve.receive({ timeout: "7 days" }));
  });
  // Without its end, which the changed code would not come to.
  const open = { ...history, events: history.events.slice(0, 3) };
  await replayEveryPrefix(workflow("order", changed.main), { ...open, events: open.events.slice(0, 1) });
  replays = 0;
  await expect(replayEveryPrefix(changed, { ...open, events: open.events.slice(0, 2) })).resolves.toBeUndefined();
  replays = -1;
  await expect(replayEveryPrefix(changed, open)).rejects.toMatchObject({
    name: "AssertionError",
    message: expect.stringContaining("Replayed up to event 3, StepCompleted"),
  });
});

test("a prefix that is cut before the mark of a patch is replayed on the way that the run went", async () => {
  const changed = workflow("changed", async () => {
    await approve.receive();
    return step(patched("new-way") ? "new" : "old", () => "done");
  });
  const env = await testEnvironment({ workflows: [changed] });
  try {
    const run = await env.client.start(changed);
    await run.signal(approve, "ann");
    expect(await run.result()).toBe("done");
    const history = await collectHistory(run);
    expect(history.events.map(({ type }) => type)).toContain("PatchMarked");
    await replayEveryPrefix(changed, history);
  } finally {
    await env.stop();
  }
});
