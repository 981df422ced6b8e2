// What code says for people about a step or a sleep: shown while it is pending and by the history, and of no account to replay.

import { defineStep, type Interceptor, PermanentError, sleep, sleepUntil, step, workflow } from "everstep";
import { testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { MAX_SUMMARY_BYTES } from "../../sdk/protocol/notes.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

async function environment(
  workflows: Parameters<typeof testEnvironment>[0]["workflows"],
  interceptors: Interceptor[] = [],
) {
  const env = await testEnvironment({ workflows, interceptors });
  onTestFinished(() => env.stop());
  return env;
}

const charge = defineStep("charge", (_card: string) => "charged", { summary: "charges a card" });

test("what is pending is shown with its summary, of a parked run too, and the history keeps it", async () => {
  let isDown = true;
  const order = workflow("order", async (name: string) => {
    await charge("4242");
    await charge("4243", { summary: `charges the card of ${name}` });
    const mail = () => {
      if (isDown) throw new Error("is down");
    };
    await step("mail", mail, { summary: `tells ${name}`, retry: { initialInterval: "1h", jitter: 0 } });
    await step("plain", () => {});
    await sleep("1 day", { summary: "until the trial ends" });
    await sleepUntil(0, { summary: "not at all" });
    await step("refuse", () => Promise.reject(new PermanentError("no")), { summary: "asks in vain" }).catch(() => {});
  });
  const env = await environment([order]);
  const run = await env.client.start(order, { input: "ann" });
  await env.advance("1m");
  expect(await run.describe()).toMatchObject({
    ownerId: null,
    pending: { steps: [{ name: "mail", attempt: 2, summary: "tells ann" }] },
  });
  isDown = false;
  await env.advance("2h");
  expect((await run.describe()).pending?.timers).toMatchObject([{ name: "sleep", summary: "until the trial ends" }]);
  await run.result();
  const told: string[] = [];
  for await (const event of run.history()) {
    if ("command" in event) told.push(`${event.type} ${event.name}: ${"summary" in event ? event.summary : "-"}`);
  }
  expect(told).toEqual([
    "StepCompleted charge: charges a card",
    "StepCompleted charge: charges the card of ann",
    "StepAttemptFailed mail: tells ann",
    "StepCompleted mail: tells ann",
    "StepCompleted plain: -",
    "TimerStarted sleep: until the trial ends",
    "TimerFired sleep: -",
    "TimerStarted sleep: not at all",
    "TimerFired sleep: -",
    "StepFailed refuse: asks in vain",
  ]);
});

test("a step that is completed from outside keeps it, and a fork with another result", async () => {
  const review = workflow("review", async () =>
    step<string>("review", (context) => context.completeLater(), { summary: "bob looks at it" }),
  );
  const env = await environment([review]);
  const run = await env.client.start(review, { id: "r" });
  await env.advance(0);
  expect((await run.describe()).pending?.steps).toMatchObject([{ isDeferred: true, summary: "bob looks at it" }]);
  await run.completeStep("review", "good");
  expect(await run.result()).toBe("good");
  const fork = await run.fork({ id: "f", at: 3, result: "bad" });
  expect(await fork.result()).toBe("bad");
  for (const handle of [run, fork]) {
    const ends: (string | undefined)[] = [];
    for await (const event of handle.history()) if (event.type === "StepCompleted") ends.push(event.summary);
    expect(ends).toEqual(["bob looks at it"]);
  }
});

test("another summary, or none, is no divergence", async () => {
  const said = (summary: string | undefined) =>
    workflow("said", async () => {
      await step("one", () => 1, summary === undefined ? {} : { summary });
      await sleep("1h", { summary });
      return "done";
    });
  const first = await runWorkflow(said("as it was"));
  await first.completes("one");
  await first.fires("sleep");
  for (const now of [undefined, "as it is"]) {
    const again = await replay(said(now), first.history);
    expect(again.engine.broken).toBeUndefined();
    expect(again.result).toBe("done");
  }
});

test("an empty one, as it may be made of a name, is none", async () => {
  const named = workflow("named", async (name: string) => {
    await step("one", () => 1, { summary: name });
    await sleep("1h", { summary: name });
    return charge("4242", { summary: name });
  });
  const env = await environment([named]);
  const run = await env.client.start(named, { input: "" });
  expect(await run.result()).toBe("charged");
  for await (const event of run.history()) expect(event).not.toHaveProperty("summary");
});

test("it is cut where it is too long, and a text in any case", async () => {
  const wordy = workflow("wordy", () => step("one", () => 1, { summary: "é".repeat(1_000) }));
  const run = await runWorkflow(wordy);
  const [pending] = run.engine.pendingCommands();
  const summary = pending?.kind === "RunStep" ? (pending.ask.summary ?? "") : "";
  expect(Buffer.byteLength(summary)).toBeLessThanOrEqual(MAX_SUMMARY_BYTES);
  expect(summary).toMatch(/^é+…$/);
  for (const wrong of [null, 7]) {
    const refused = await runWorkflow(workflow("refused", () => sleep("1h", { summary: wrong as never })));
    expect(refused.failure).toContain(`takes a text; got ${wrong === null ? "null" : "number"}`);
  }
});

test("interceptors see it and may say it otherwise", async () => {
  const seen: unknown[] = [];
  const hooks: Interceptor = {
    workflow: {
      ask(asked, next) {
        if (asked.kind === "step" || asked.kind === "timer") seen.push(asked.summary);
        return next();
      },
      askStep: ({ name, summary }, next) => next({ summary: summary ?? `makes ${name}` }),
    },
  };
  const main = workflow("main", async () => {
    await step("one", () => 1);
    await sleep("1h", { summary: "a while" });
  });
  const env = await environment([main], [hooks]);
  const run = await env.client.start(main);
  await run.result();
  const told: (string | undefined)[] = [];
  for await (const event of run.history()) if ("summary" in event) told.push(event.summary);
  expect(told).toEqual(["makes one", "a while"]);
  expect([...new Set(seen)]).toEqual([undefined, "a while"]);
});

test("nothing is stored where nothing is said", () => {
  const completed = {
    type: "StepCompleted",
    command: 1,
    name: "one",
    result: "1",
    attempt: 1,
    inputHash: null,
  } as const;
  expect(toRecord(completed).data).toBeNull();
  const started = { type: "TimerStarted", command: 1, name: "sleep", due: { afterMs: 5 } } as const;
  expect(toRecord(started).data).toBe('{"afterMs":5}');
});
