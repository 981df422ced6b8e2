// Steps that are completed from outside, through a real worker: by token and by name, once, whatever comes too early, too
// late or from somebody who has no token.

import { expect, test } from "vitest";
import { crashEverywhere } from "../../runtime/testing/crash-everywhere.ts";
import { testEnvironment } from "../../runtime/testing/environment.ts";
import {
  defineSignal,
  defineStep,
  PermanentError,
  type StepFailure,
  type StepOptions,
  step,
  workflow,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const done = defineSignal("done");

/** One step that hands off, with the tokens that its attempts gave out. */
function approval(options: StepOptions = {}) {
  const tokens: string[] = [];
  const approve = workflow("approve", async () => {
    const by = await step<string>(
      "approve",
      ({ token, completeLater }) => {
        tokens.push(token);
        return completeLater();
      },
      options,
    );
    await done.receive({ timeout: "1 day" });
    return by;
  });
  return { approve, tokens };
}

async function token(tokens: readonly string[], attempt = 1): Promise<string> {
  await eventually(`a token of attempt ${attempt}`, () => tokens.length >= attempt);
  return tokens[attempt - 1] ?? "";
}

async function waitFor(run: Parameters<typeof typesOf>[0], type: string): Promise<void> {
  await eventually(`a ${type}`, async () => (await typesOf(run)).includes(type));
}

test("whoever has the token completes the step; meanwhile nobody owns the run, and its body is not run again", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  await house.startWorker([approve], { lingerMs: 1 });
  const run = await house.client.start(approve, { id: "a" });
  const given = await token(tokens);
  expect(given).toMatch(/^[\w.-]+$/);
  await eventually("parked", async () => {
    const { ownerId, wakeAt, events } = await run.describe();
    return events === 2 && ownerId === null && wakeAt === null;
  });
  const { pending, summary } = await run.describe();
  expect(pending?.steps).toMatchObject([{ name: "approve", attempt: 1, isDeferred: true, nextAttemptAt: null }]);
  expect(summary).toBe('Parked: it waits for mail. Waits for step "approve" to be completed from outside.');

  await house.client.completeStep(given, "Ann");
  await waitFor(run, "TimerStarted");
  await run.signal(done);
  expect(await run.result()).toBe("Ann");
  expect(tokens).toHaveLength(1);
  expect(await typesOf(run)).toEqual([
    "RunStarted",
    "StepDeferred",
    "StepCompleted",
    "TimerStarted",
    "SignalReceived",
    "RunCompleted",
  ]);
});

test("no token is in the history or the mailbox, and none can be made from what is there", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  const given = await token(tokens);
  await waitFor(run, "StepDeferred");
  const secret = given.split(".").at(-1) ?? "";
  const history = await historyOf(run);
  const verifier = history[1]?.type === "StepDeferred" ? history[1].verifier : "";
  await house.client.heartbeatStep(given, 1);
  await waitFor(run, "StepReported");
  const mail = await house.store.readMail([{ runId: run.runId ?? "", after: 0 }], 10);
  expect(JSON.stringify([await historyOf(run), mail])).not.toContain(secret);

  const forged = given.replace(secret, verifier);
  for (const bad of [forged, given.replace(secret, "A".repeat(secret.length))]) {
    const thrown: unknown = await house.client.completeStep(bad, "Eve").catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "TOKEN_INVALID", message: expect.not.stringContaining(secret) });
  }
  for (const none of ["", "x", `${given} `, given.slice(0, -12), 7 as never])
    await expect(house.client.completeStep(none)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  expect(await house.store.readMail([{ runId: run.runId ?? "", after: 1 }], 10)).toEqual([]);
  await house.client.completeStep(given, "Ann");
  await waitFor(run, "StepCompleted");
});

test("a report with the same id is heard once, also after the step and the run have ended; another comes too late", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  const given = await token(tokens);
  await house.client.completeStep(given, "Ann", { reportId: "click" });
  await house.client.completeStep(given, "Bob", { reportId: "click" });
  await waitFor(run, "StepCompleted");
  await house.client.completeStep(given, "Bob", { reportId: "click" });
  await run.completeStep("approve", "Bob", { reportId: "click" });
  await expect(house.client.completeStep(given, "Bob")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await expect(house.client.heartbeatStep(given)).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await expect(run.completeStep("approve", "Bob")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await run.signal(done);
  expect(await run.result()).toBe("Ann");
  await house.client.completeStep(given, "Bob", { reportId: "click" });
  await expect(run.failStep("approve", "no", { reportId: "other" })).rejects.toMatchObject({ code: "RUN_CLOSED" });
  expect((await typesOf(run)).filter((type) => type === "StepReported")).toEqual([]);
});

test("a failure from outside is tried again with another token; the first one is good for nothing", async () => {
  const house = openHouse();
  const { approve, tokens } = approval({ retry: { maxAttempts: 2, initialInterval: 1 } });
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  const first = await token(tokens);
  await house.client.failStep(first, new RangeError("not now"));
  const second = await token(tokens, 2);
  expect(second).not.toBe(first);
  await expect(house.client.completeStep(first, "Ann")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await house.client.failStep(second, new PermanentError("never"));
  const failure: unknown = await run.result().catch((error: Error) => error.cause);
  expect(failure).toMatchObject({ step: "approve", attempts: 2, cause: { message: "never" } });
  expect((failure as StepFailure).cause).toBeInstanceOf(Error);
});

test("of several reports that are stored together the first counts, and the others are recorded as ignored", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  const worker = await house.startWorker([approve], { lingerMs: 1 });
  const run = await house.client.start(approve);
  const given = await token(tokens);
  await eventually("parked", () => worker.stats.parked === 1);
  await worker.stop();
  await house.client.heartbeatStep(given, "at it");
  for (const by of ["Ann", "Bob"]) await house.client.completeStep(given, by);
  await run.signal(done);
  await house.client.failStep(given, "late");
  await house.startWorker([approve]);
  expect(await run.result()).toBe("Ann");
  const history = await historyOf(run);
  const told = history.map((event) => ("report" in event ? `${event.type} ${event.report}` : event.type));
  expect(told.filter((line) => line.startsWith("Step"))).toEqual([
    "StepDeferred",
    "StepReported heartbeat",
    "StepCompleted",
    "StepReported ignored",
    "StepReported ignored",
  ]);
  expect(history.flatMap((event) => ("mail" in event ? [event.mail] : []))).toEqual([1, 2, 3, 4, 5]);
  for (let length = 1; length < history.length; length++) {
    const part = await replay(approve, history.slice(0, length), { foreseen: history });
    await part.redeliver(history.slice(length, -1));
    expect(part.result).toBe("Ann");
  }
});

test("a token that is used while its body still runs is waited with", async () => {
  const house = openHouse();
  let sending: Promise<void> | undefined;
  const eager = workflow("eager", async () =>
    step<string>("ask", async ({ token: given, completeLater }) => {
      sending = house.client.completeStep(given, "at once");
      await new Promise((resolve) => setTimeout(resolve, 30));
      return completeLater();
    }),
  );
  await house.startWorker([eager]);
  const run = await house.client.start(eager);
  expect(await run.result()).toBe("at once");
  await sending;
});

test("by name only one step may wait; each is completed by its own token", async () => {
  const house = openHouse();
  const tokens: string[] = [];
  const ask = defineStep<number, string>("ask", (who, { token: given, completeLater }) => {
    tokens[who] = given;
    return completeLater();
  });
  const both = workflow("both", () => Promise.all([ask(0), ask(1)]));
  await house.startWorker([both]);
  const run = await house.client.start(both);
  await eventually("both wait", async () => (await typesOf(run)).length === 3);
  await expect(run.completeStep(ask, "either")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(run.completeStep("nobody")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await house.client.completeStep(tokens[1] ?? "", "one");
  await waitFor(run, "StepCompleted");
  await run.completeStep(ask, "zero");
  expect(await run.result()).toEqual(["zero", "one"]);
});

test("of several steps of one name each is completed, kept alive or failed by its number", async () => {
  const house = openHouse();
  const ask = defineStep("ask", async (_: string, { completeLater }) => completeLater(), { retry: { maxAttempts: 1 } });
  const both = workflow("both", async () => {
    const [first, second] = await Promise.allSettled([ask("Ann"), ask("Bob")]);
    return [first.status, second.status];
  });
  await house.startWorker([both]);
  const run = await house.client.start(both);
  await eventually(
    "both wait",
    async () => (await typesOf(run)).filter((type) => type === "StepDeferred").length === 2,
  );
  await expect(run.completeStep("ask", "either")).rejects.toThrow("Say which by its number, as describe() shows it");
  const { pending } = await run.describe();
  const [first = 0, second = 0] = pending?.steps.map(({ command }) => command) ?? [];
  await run.heartbeatStep(second, "at it");
  await run.failStep(second, new Error("no"), { reportId: "r" });
  await run.completeStep(first, "yes");
  expect(await run.result()).toEqual(["fulfilled", "rejected"]);
  await run.failStep(second, new Error("no"), { reportId: "r" });
  const told = (await historyOf(run)).flatMap((event) =>
    "mail" in event ? [[event.type, "command" in event && event.command]] : [],
  );
  expect(told).toEqual([
    ["StepReported", second],
    ["StepFailed", second],
    ["StepCompleted", first],
  ]);
  await expect(run.completeStep(9, "nobody")).rejects.toMatchObject({ code: "RUN_CLOSED" });
  const again = await house.client.start(both);
  await eventually("both wait", async () => (await typesOf(again)).length === 3);
  await expect(again.completeStep(9, "nobody")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  for (const bad of [0, -1, 1.5, Number.NaN]) {
    await expect(again.completeStep(bad, "x")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
});

test("handing off and returning something else fails the attempt, and a transaction cannot hand off", async () => {
  const house = openHouse();
  const forgetful = workflow("forgetful", async () => {
    const lost = step("lost", ({ completeLater }) => {
      completeLater();
      return 1;
    });
    return lost.catch((error: StepFailure) => (error.cause as Error).message);
  });
  await house.startWorker([forgetful]);
  const run = await house.client.start(forgetful);
  expect(await run.result()).toContain("called completeLater() and returned something else");
});

test("no crash changes how a step is completed from outside, nor that its heartbeats reach the next attempt", async () => {
  const crashing = workflow("crashing", async () => {
    const by = await step<unknown>(
      "approve",
      ({ attempt, lastHeartbeat, completeLater }) => (attempt === 1 ? completeLater() : lastHeartbeat),
      { retry: { initialInterval: 1, jitter: 0 } },
    );
    return [by, await step<string>("sign", ({ completeLater }) => completeLater(), { timeout: "2 days" })];
  });
  const report = await crashEverywhere(crashing, {
    script: async (run, env) => {
      await env.advance(0);
      await run.heartbeatStep("approve", "half");
      await run.failStep("approve", "no", { reportId: "f" });
      await env.advance("1 day");
      await run.completeStep("sign", "signed", { reportId: "s" });
    },
  });
  expect(report.crashes).toBe(report.places);
});

test("a fork of a run that waits asks again: its body runs, and hands out the token that is good", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  const first = await token(tokens);
  await waitFor(run, "StepDeferred");
  const fork = await run.reset();
  await eventually("it was asked again", () => tokens.length === 2);
  await expect(house.client.completeStep(first, "Ann")).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await house.client.completeStep(tokens[1] ?? "", "Bob");
  await fork.signal(done);
  expect(await fork.result()).toBe("Bob");
  const events = await historyOf(fork);
  expect(events.map(({ type }) => type).slice(0, 5)).toEqual([
    "RunStarted",
    "StepDeferred",
    "RunForked",
    "StepDeferred",
    "StepCompleted",
  ]);
  expect(events.filter(({ type }) => type === "StepDeferred")).toMatchObject([{ attempt: 1 }, { attempt: 1 }]);
  expect((await replay(approve, events)).result).toBe("Bob");
});

test("beside a run that waits, a fork is completed by a token and a name of its own", async () => {
  const house = openHouse();
  const { approve, tokens } = approval();
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  await waitFor(run, "StepDeferred");
  const fork = await run.fork({ id: "fork" });
  await eventually("it has handed off", async () => {
    return (await typesOf(fork)).filter((type) => type === "StepDeferred").length === 2;
  });
  await house.client.completeStep(tokens[0] ?? "", "Ann");
  await fork.completeStep("approve", "Bob");
  for (const each of [run, fork]) await each.signal(done);
  expect(await run.result()).toBe("Ann");
  expect(await fork.result()).toBe("Bob");
});

test("a fork whose body has not asked again yet is not completed by name: what its source handed off is void", async () => {
  const house = openHouse();
  const { approve } = approval();
  const worker = await house.startWorker([approve]);
  const run = await house.client.start(approve);
  await waitFor(run, "StepDeferred");
  await worker.stop(0);
  const fork = await run.fork({ id: "fork" });
  await expect(fork.completeStep("approve", "Ann")).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
});

test("a step that failed from outside and is retried waits anew, whatever its attempts were", async () => {
  const house = openHouse();
  const { approve, tokens } = approval({ retry: { maxAttempts: 2, initialInterval: 1 } });
  await house.startWorker([approve]);
  const run = await house.client.start(approve);
  for (const attempt of [1, 2]) {
    const given = await token(tokens, attempt);
    await house.client.failStep(given, new TypeError("no pen"));
  }
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  const retried = await run.retryFrom();
  await house.client.completeStep(await token(tokens, 3), "Ann");
  await retried.signal(done);
  expect(await retried.result()).toBe("Ann");
});

test("the limits of a step that is asked again count from its being asked again", async () => {
  const { approve, tokens } = approval({ totalTimeout: "1h", retry: { maxAttempts: 1 } });
  const env = await testEnvironment({ workflows: [approve] });
  try {
    const run = await env.client.start(approve);
    await env.advance("2h");
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    const fork = await run.fork({ at: 2 });
    await env.advance("30m");
    await env.client.completeStep(tokens[1] ?? "", "Ann");
    await fork.signal(done);
    expect(await fork.result()).toBe("Ann");
  } finally {
    await env.stop();
  }
});
