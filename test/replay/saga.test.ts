// Undoing: in which order, in spite of what, and what the caller learns.

import { expect, test } from "vitest";
import {
  CanceledFailure,
  CompensationFailure,
  isCanceled,
  nonCancellable,
  type SagaOptions,
  saga,
  sleep,
  step,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { runWorkflow } from "../support/replaying.ts";

const noop = () => {};

/** Books a flight, a hotel and a car; each may be undone. */
const trip = (options: SagaOptions = {}) =>
  workflow("trip", async () =>
    saga(async (undo) => {
      for (const part of ["flight", "hotel", "car"]) {
        await step(`book ${part}`, noop);
        undo.add(part, () => step(`cancel ${part}`, noop));
      }
      return "booked";
    }, options),
  );

test("what succeeds is not undone", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  for (const part of ["flight", "hotel", "car"]) await run.completes(`book ${part}`);
  expect(run.result).toBe("booked");
  expect(run.changes()).toHaveLength(3);
  await expectSameFromEveryPrefix(main, run);
});

test("what was done is undone in reverse, one after the other, and the error is thrown on as it was", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.completes("book hotel");
  await run.fails("book car", new RangeError("none left"));
  expect(run.pending).toEqual(["4 step cancel hotel"]);
  await run.completes("cancel hotel");
  expect(run.pending).toEqual(["5 step cancel flight"]);
  await run.completes("cancel flight");
  expect(run.failure).toBe('failed: StepFailure: step "book car" failed: RangeError: none left');
  await expectSameFromEveryPrefix(main, run);
});

test("a canceled run undoes out of the request's reach, and ends as canceled", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.cancels("no more");
  await run.fails("book hotel", new CanceledFailure("no more"));
  expect(run.pending).toEqual(["3 step cancel flight"]);
  await run.completes("cancel flight");
  expect(run.failure).toBe("canceled: CanceledFailure: no more");
  await expectSameFromEveryPrefix(main, run);
});

test("a request during the undoing does not shorten it", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.fails("book hotel", new RangeError("full"));
  await run.cancels();
  await run.completes("cancel flight");
  expect(run.failure).toBe('failed: StepFailure: step "book hotel" failed: RangeError: full');
});

test("a limit of time undoes too", async () => {
  const main = workflow("main", async () =>
    withTimeout("1m", () =>
      saga(async (undo) => {
        undo.add("hold", () => step("release", noop));
        await sleep("1h");
      }),
    ).catch(String),
  );
  const run = await runWorkflow(main);
  await run.fires("timeout");
  await run.completes("release");
  expect(run.result).toBe("TimeoutFailure: not done within 1m");
  await expectSameFromEveryPrefix(main, run);
});

test("a compensation that fails does not keep the others from being called, and is told with what caused it", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.completes("book hotel");
  await run.fails("book car", new RangeError("none left"));
  await run.fails("cancel hotel", new TypeError("gone"));
  await run.completes("cancel flight");
  expect(run.outcome).toMatchObject({
    type: "failed",
    failure: {
      type: "CompensationFailure",
      message: 'compensation failed: "hotel" (StepFailure: step "cancel hotel" failed: TypeError: gone)',
      details: expect.stringContaining('"skipped":[]'),
      cause: { kind: "step", step: "book car" },
    },
  });
  await expectSameFromEveryPrefix(main, run);
});

test("a canceled run that cannot be undone ends as failed: somebody has to look", async () => {
  const main = trip();
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.cancels("no more");
  await run.completes("book hotel");
  await run.fails("cancel hotel", new TypeError("gone"));
  await run.completes("cancel flight");
  expect(run.outcome).toMatchObject({
    type: "failed",
    failure: { type: "CompensationFailure", cause: { kind: "canceled", message: "no more" } },
  });
});

test("told to stop at the first failure, it names what was not tried", async () => {
  const main = trip({ onFailure: "stop" });
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.completes("book hotel");
  await run.fails("book car", new RangeError("none left"));
  await run.fails("cancel hotel", new TypeError("gone"));
  expect(run.failure).toBe(
    'failed: CompensationFailure: compensation failed: "hotel" (StepFailure: step "cancel hotel" failed: TypeError: gone); not tried: "flight"',
  );
  await expectSameFromEveryPrefix(main, run);
});

test("in parallel all are called at once, the last added first", async () => {
  const main = trip({ order: "parallel" });
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.completes("book hotel");
  await run.fails("book car", new RangeError("none left"));
  expect(run.pending).toEqual(["4 step cancel hotel", "5 step cancel flight"]);
  await run.fails("cancel flight", new TypeError("gone"));
  expect(run.outcome).toBeUndefined();
  await run.completes("cancel hotel");
  expect(run.failure).toMatch(/^failed: CompensationFailure: compensation failed: "flight"/);
});

test("what a step that was still under way has done is undone as well, before all else is", async () => {
  const main = workflow("main", async () =>
    saga(async (undo) => {
      const book = async (part: string) => {
        await step(`book ${part}`, noop);
        undo.add(part, () => step(`cancel ${part}`, noop));
      };
      await book("flight");
      await Promise.all([book("hotel"), book("car"), sleep("1h")]);
    }),
  );
  const run = await runWorkflow(main);
  await run.completes("book flight");
  await run.fails("book hotel", new RangeError("full"));
  expect(run.pending).toEqual(["3 step book car"]);
  await run.completes("book car");
  expect(run.pending).toEqual(["5 step cancel car"]);
  await run.completes("cancel car");
  await run.completes("cancel flight");
  expect(run.failure).toBe('failed: StepFailure: step "book hotel" failed: RangeError: full');
  await expectSameFromEveryPrefix(main, run);
});

test("compensations may add more, wait and use timers", async () => {
  const main = workflow("main", async () =>
    saga(async (undo) => {
      undo.add("first", async () => {
        await sleep("1m");
        undo.add("more", () => step("undo more", noop));
      });
      throw new RangeError("no");
    }),
  );
  const run = await runWorkflow(main);
  await run.fires("sleep");
  await run.completes("undo more");
  expect(run.failure).toBe("failed: RangeError: no");
});

test("without a body, the code decides; the saga is over then, and takes no more", async () => {
  const main = workflow("main", async () => {
    const undo = saga();
    undo.add("a", () => step("undo a", noop));
    undo.add("b", () => {
      throw new RangeError("never");
    });
    const failed = await undo.compensate(new Error("why")).catch((error) => error);
    const refused = await Promise.resolve()
      .then(() => undo.add("late", noop))
      .catch((error) => error.code);
    const again = await undo.compensate().catch((error) => error);
    return {
      isSameAgain: again === failed,
      isCompensationFailure: failed instanceof CompensationFailure,
      isCanceled: isCanceled(failed),
      failures: failed.failures.map(({ name, error }: { name: string; error: Error }) => `${name}: ${error.message}`),
      cause: failed.cause.message,
      refused,
    };
  });
  const run = await runWorkflow(main);
  await run.completes("undo a");
  expect(run.result).toEqual({
    isSameAgain: true,
    isCompensationFailure: true,
    isCanceled: false,
    failures: ["b: never"],
    cause: "why",
    refused: "ARGUMENT_INVALID",
  });
});

test("a body is not called in a canceled run, and is behind nonCancellable", async () => {
  const main = workflow("main", async () => {
    await sleep("1h").catch(noop);
    const body = async () => "called";
    return [await saga(body).catch(String), await nonCancellable(() => saga(body))];
  });
  const run = await runWorkflow(main);
  await run.cancels("enough");
  expect(run.result).toEqual(["CanceledFailure: enough", "called"]);
});

test("unusable options and compensations are refused, also too late ones", async () => {
  const codeOf = async (attempt: () => unknown) => {
    try {
      await attempt();
      return "fine";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const main = workflow("main", async () => {
    let leaked: { add(name: string, undo: () => unknown): void } | undefined;
    await saga(async (undo) => {
      leaked = undo;
    });
    return [
      await codeOf(() => saga({ order: "forwards" as "reverse" })),
      await codeOf(() => saga({ onFailure: "panic" as "stop" })),
      await codeOf(() => saga().add("", noop)),
      await codeOf(() => saga().add("a", undefined as unknown as () => void)),
      await codeOf(() => leaked?.add("a", noop)),
    ];
  });
  expect((await runWorkflow(main)).result).toEqual(Array(5).fill("ARGUMENT_INVALID"));
  expect(() => saga()).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
});
