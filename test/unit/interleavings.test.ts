// Orders of completion, drawn by seeds: what depends on them is found, and named so that it can be had again.

import { defineSignal, sleep, step, workflow } from "everstep";
import { interleavings } from "everstep/testing";
import { expect, test } from "vitest";

const list = workflow("list", async () => {
  const done = await Promise.all(["a", "b", "c"].map((name) => step(name, () => name)));
  return done.join("");
});

const messageOf = (failing: Promise<unknown>) =>
  failing.then(
    () => "passed",
    (error: Error) => error.message,
  );

/** A mistake: the order of completion decides. */
const race = workflow("race", async () => {
  const done: string[] = [];
  await Promise.all(["a", "b"].map(async (name) => done.push(await step(name, () => name))));
  return done.join("");
});

test("orders differ from seed to seed, and a workflow that does not depend on them ends alike", async () => {
  const { seeds, histories } = await interleavings(list, { seeds: 30 });
  expect(seeds).toHaveLength(30);
  // Six orders in which three steps can end.
  expect(histories).toBe(6);
});

test("a race shows, with the seeds, the endings, and what led to them", async () => {
  const racing = interleavings(race);
  await expect(racing).rejects.toMatchObject({ name: "AssertionError" });
  const message = await messageOf(racing);
  expect(message).toMatch(
    /^interleavings, seed (\d+): The run ended otherwise than with seed 1\.\n {2}Seed 1: RunCompleted: "(ab|ba)"\n {4}after StepCompleted "[ab]", StepCompleted "[ab]"\n {2}Seed \1: RunCompleted: "(ab|ba)"\n.*\nBoth again: seeds: \[1, \1\]\.\nAgain: /,
  );
  const seed = Number(/seed (\d+):/.exec(message)?.[1]);
  expect(await messageOf(interleavings(race, { seeds: [1, seed] }))).toBe(message);
});

test("a step races with a timer, and a check of one's own says what must hold", async () => {
  const impatient = workflow("impatient", () =>
    Promise.race([step("work", () => "worked"), sleep("1m").then(() => "gave up")]),
  );
  const endings = new Set<unknown>();
  await interleavings(impatient, {
    longest: "1h",
    check: ({ events }) => {
      const last = events.at(-1);
      if (last?.type !== "RunCompleted") throw new Error(`ended by ${last?.type}`);
      endings.add(last.result);
    },
  });
  expect(endings).toEqual(new Set(['"worked"', '"gave up"']));
  const failing = interleavings(impatient, {
    seeds: [5],
    check: () => {
      throw new Error("not good enough");
    },
  });
  await expect(failing).rejects.toThrow(
    "interleavings, seed 5: not good enough\nAgain: interleavings(…, { seeds: [5] }).",
  );
});

test("a signal meets steps of every length; limits of steps are kept", async () => {
  const stop = defineSignal("stop");
  const working = workflow("working", async () => {
    let isStopped = false;
    stop.handle(() => {
      isStopped = true;
    });
    for (let count = 0; !isStopped && count < 1_000; count++) await step("work", () => count, { timeout: "10s" });
    return "stopped";
  });
  const { histories } = await interleavings(working, {
    seeds: 10,
    script: async (run, env) => {
      await env.advance("30s", { pastSteps: true });
      await run.signal(stop);
    },
    check: ({ events }) => {
      expect(events.filter(({ type }) => type === "StepAttemptFailed")).toEqual([]);
    },
  });
  expect(histories).toBeGreaterThan(1);
});

test("seeds that are none are refused", async () => {
  await expect(interleavings(list, { seeds: 0 })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(interleavings(list, { seeds: [1.5] })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});
