// Checking again and again until there is an answer.

import { expect, test } from "vitest";
import { nonCancellable, poll, step, workflow } from "../../sdk/index.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { type DrivenRun, runWorkflow } from "../support/replaying.ts";

const check = () => undefined as string | undefined;

/** The pauses in ms that were asked for, in order. */
function pausesOf(run: DrivenRun): number[] {
  return run.history.flatMap((event) =>
    event.type === "TimerStarted" && event.name !== "timeout" && "afterMs" in event.due ? [event.due.afterMs] : [],
  );
}

test("it checks at once, pauses, and checks again until there is an answer", async () => {
  const main = workflow("main", async () => poll("shipped", check, { every: "10s" }));
  const run = await runWorkflow(main);
  expect(run.pending).toEqual(["1 step shipped"]);
  await run.completes("shipped", undefined);
  expect(run.pending).toEqual(["2 timer poll shipped"]);
  await run.fires("poll shipped");
  await run.completes("shipped", false);
  await run.fires("poll shipped");
  await run.completes("shipped", null);
  await run.fires("poll shipped");
  await run.completes("shipped", "on its way");
  expect(run.result).toBe("on its way");
  expect(pausesOf(run)).toEqual([10_000, 10_000, 10_000]);
  await expectSameFromEveryPrefix(main, run);
});

test.each([0, "", true, []])("%j is an answer", async (answer) => {
  const main = workflow("main", async () => poll("check", () => answer as unknown, { every: 1 }));
  const run = await runWorkflow(main);
  await run.completes("check", answer);
  expect(run.result).toEqual(answer);
});

test("pauses grow by the backoff, up to the longest", async () => {
  const main = workflow("main", async () => poll("check", check, { every: 1_000, backoff: 3, maxInterval: "20s" }));
  const run = await runWorkflow(main);
  for (let round = 0; round < 5; round++) {
    await run.completes("check");
    await run.fires("poll check");
  }
  expect(pausesOf(run)).toEqual([1_000, 3_000, 9_000, 20_000, 20_000]);
});

test("without a longest pause it is a hundred times the first; a pause of nothing is 1 ms", async () => {
  const main = workflow("main", async () => poll("check", check, { every: 0, backoff: 50 }));
  const run = await runWorkflow(main);
  for (let round = 0; round < 4; round++) {
    await run.completes("check");
    await run.fires("poll check");
  }
  expect(pausesOf(run)).toEqual([1, 50, 100, 100]);
});

test("after so many checks it gives up with undefined, without another pause", async () => {
  const main = workflow("main", async () => poll("check", check, { every: "1s", maxAttempts: 2 }));
  const run = await runWorkflow(main);
  await run.completes("check");
  await run.fires("poll check");
  await run.completes("check");
  expect(run.result).toBeUndefined();
  expect(pausesOf(run)).toEqual([1_000]);
});

test("when time runs out during a pause it gives up with undefined, and the pause is taken back", async () => {
  const main = workflow("main", async () => [
    await poll("check", check, { every: "1h", timeout: "5m" }),
    await step("after", () => {}),
  ]);
  const run = await runWorkflow(main);
  await run.completes("check");
  await run.fires("timeout");
  expect(run.pending).toEqual(["4 step after"]);
  await run.completes("after", "done");
  expect(run.result).toEqual([undefined, "done"]);
  await expectSameFromEveryPrefix(main, run);
});

test("when time runs out during a check, its answer counts if it has one all the same", async () => {
  const main = workflow("main", async () => poll("check", check, { every: "1h", timeout: "5m" }));
  const answered = await runWorkflow(main);
  await answered.fires("timeout");
  await answered.completes("check", "just");
  expect(answered.result).toBe("just");
  const silent = await runWorkflow(main);
  await silent.fires("timeout");
  await silent.completes("check");
  expect(silent.result).toBeUndefined();
  await expectSameFromEveryPrefix(main, silent);
});

test("a check that fails for good rejects, and takes the limit of time back", async () => {
  const main = workflow("main", async () => {
    const options = { every: "1s", timeout: "1h", step: { retry: { maxAttempts: 1 } } } as const;
    const failed = await poll("check", check, options).catch(String);
    await step("after", () => {});
    return failed;
  });
  const run = await runWorkflow(main);
  await run.fails("check", new RangeError("no"));
  expect(run.pending).toEqual(["3 step after"]);
  await run.completes("after");
  expect(run.result).toBe('StepFailure: step "check" failed: RangeError: no');
});

test("it is canceled during a pause, and goes on behind nonCancellable", async () => {
  const main = workflow("main", async () => {
    const kept = nonCancellable(() => poll("kept", check, { every: "1s" }));
    const canceled = await poll("check", check, { every: "1s", timeout: "1h" }).catch(String);
    return [canceled, await kept];
  });
  const run = await runWorkflow(main);
  await run.completes("check");
  await run.cancels("enough");
  expect(run.pending).toEqual(["1 step kept"]);
  await run.completes("kept", "x");
  expect(run.result).toEqual(["CanceledFailure: enough", "x"]);
  await expectSameFromEveryPrefix(main, run);
});

const invalid: Record<string, object> = {
  every: { every: "soon" },
  backoff: { every: 1, backoff: 0.5 },
  maxInterval: { every: "1m", maxInterval: "1s" },
  maxAttempts: { every: 1, maxAttempts: 0 },
};

test.each(Object.keys(invalid))("an unusable %s is refused by name, before the first check", async (option) => {
  const main = workflow("main", async () =>
    poll("check", check, invalid[option] as { every: 1 }).catch((error) => [error.code, error.message]),
  );
  const run = await runWorkflow(main);
  const [code, message] = run.result as string[];
  expect(code).toBe("ARGUMENT_INVALID");
  expect(message).toContain(option);
  expect(run.changes()).toEqual([]);
});
