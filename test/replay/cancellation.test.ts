// A request to stop: what it rejects, what it leaves alone, and how the run ends by it.

import { expect, test } from "vitest";
import {
  CanceledFailure,
  condition,
  defineSignal,
  isCanceled,
  nonCancellable,
  sleep,
  sleepUntil,
  step,
  workflow,
} from "../../sdk/index.ts";
import type { Event } from "../../sdk/protocol/event.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal<string>("go");

/** What a worker tells of a step that ended because the run was canceled. */
function canceledStep(run: DrivenRun, name: string): Event {
  return run.failed(name, new CanceledFailure("enough"));
}

const waits: Record<string, () => Promise<unknown>> = {
  sleep: () => sleep("1h"),
  sleepUntil: () => sleepUntil(4_000_000_000_000),
  "receive()": () => go.receive(),
  "receive({ timeout })": () => go.receive({ timeout: "1h" }),
  "condition()": () => condition(() => false),
  "condition({ timeout })": () => condition(() => false, { timeout: "1h" }),
  "an abandoned step": () => step("a", noop, { onCancel: "abandon" }),
};

test.each(Object.keys(waits))("a run that waits for %s is canceled at once", async (what) => {
  const main = workflow("main", async () => waits[what]?.());
  const run = await runWorkflow(main);
  await run.cancels("enough");
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  expect(run.pending).toEqual([]);
  expect((await replay(main, run.history)).outcome).toEqual(run.outcome);
});

test("a step under way is told, and the code goes on when it has ended", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  run.changes();
  await run.cancels();
  expect(run.changes()).toEqual(["cancelRequested 1 step a"]);
  expect(run.outcome).toBeUndefined();
  await run.tell(canceledStep(run, "a"));
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
});

test("a step that completes although it was told to stop gives its result", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  await run.cancels();
  await run.completes("a", "charged after all");
  expect(run.result).toBe("charged after all");
});

test("a step that fails otherwise while it is told to stop fails the run, not cancels it", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  await run.cancels();
  await run.fails("a", new RangeError("card declined"));
  expect(run.failure).toBe('failed: StepFailure: step "a" failed: RangeError: card declined');
});

test("an abandoned step is withdrawn, and what it says later changes nothing", async () => {
  const main = workflow("main", async () => {
    await step("a", noop, { onCancel: "abandon" }).catch(noop);
    return nonCancellable(() => step("undo", noop));
  });
  const run = await runWorkflow(main);
  const late = run.completed("a", "too late");
  run.changes();
  await run.cancels();
  expect(run.changes()).toEqual(["withdrawn 1 step a", "asked 2 step undo"]);
  await run.tell(late);
  await run.completes("undo", "undone");
  expect(run.result).toBe("undone");
});

test("a request that comes before the first line finds the first wait", async () => {
  const lines: string[] = [];
  const main = workflow("main", async () => {
    lines.push("first");
    await step("a", noop);
    lines.push("second");
  });
  const run = await runWorkflow(main);
  const again = new Array<Event>({ type: "CancelRequested", mail: 1, reason: "never mind" });
  await run.tell(...again);
  await run.tell(canceledStep(run, "a"));
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  const replayed = await replay(main, run.history);
  expect(replayed.outcome).toEqual(run.outcome);
  expect(lines).toEqual(["first", "first"]);
});

const operations: Record<string, () => Promise<unknown>> = { ...waits, "a step": () => step("b", noop) };

test.each(Object.keys(operations))("after it, %s rejects at once and asks for nothing", async (what) => {
  const main = workflow("main", async () => {
    await sleep("1h").catch(noop);
    const first = await operations[what]?.().then(
      () => "went through",
      (error) => error instanceof CanceledFailure && error.message,
    );
    await nonCancellable(() => step("undo", noop));
    return first;
  });
  const run = await runWorkflow(main);
  run.changes();
  await run.cancels("stop it");
  expect(run.changes()).toEqual(["withdrawn 1 timer sleep", "asked 2 step undo"]);
  await run.completes("undo");
  expect(run.result).toBe("stop it");
});

test("after it, a condition looks no more, even with a timeout of 0", async () => {
  const main = workflow("main", async () => {
    await sleep("1h").catch(noop);
    return Promise.all([
      condition(() => true).catch(isCanceled),
      condition(() => true, { timeout: 0 }).catch(isCanceled),
      go.receive({ timeout: 0 }).catch(isCanceled),
    ]);
  });
  const run = await runWorkflow(main);
  await run.signals("go", "x");
  await run.cancels();
  expect(run.result).toEqual([true, true, true]);
});

test("cleaning up behind nonCancellable uses steps, timers, signals and conditions as ever", async () => {
  const main = workflow("main", async () => {
    try {
      await sleep("1h");
    } catch (error) {
      await nonCancellable(async () => {
        await step("undo", noop);
        await sleep("1s");
        const who = await go.receive({ timeout: "1m" });
        let isDone = false;
        go.handle(() => {
          isDone = true;
        });
        await condition(() => isDone);
        await step(`tell ${who}`, noop);
      });
      throw error;
    }
  });
  const run = await runWorkflow(main);
  await run.cancels();
  await run.completes("undo");
  await run.fires("sleep");
  await run.signals("go", "ann");
  await run.signals("go", "done");
  await run.completes("tell ann");
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  expect((await replay(main, run.history)).outcome).toEqual(run.outcome);
});

test("what is already waiting behind nonCancellable when the request comes goes on", async () => {
  const main = workflow("main", async () => nonCancellable(() => step("a", noop)));
  const run = await runWorkflow(main);
  run.changes();
  await run.cancels();
  expect(run.changes()).toEqual([]);
  await run.completes("a", "kept");
  expect(run.result).toBe("kept");
});

test("nonCancellable gives what its body gives, and throws what it throws", async () => {
  const main = workflow("main", async () => [
    await nonCancellable(async () => 7),
    await nonCancellable(() => Promise.reject(new RangeError("no"))).catch(String),
  ]);
  expect((await runWorkflow(main)).result).toEqual([7, "RangeError: no"]);
});

test("after nonCancellable the request counts again", async () => {
  const main = workflow("main", async () => {
    await nonCancellable(() => step("a", noop));
    await step("b", noop);
  });
  const run = await runWorkflow(main);
  await run.cancels();
  await run.completes("a");
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
});

test("swallowed, the run completes", async () => {
  const main = workflow("main", async () => {
    await sleep("1h").catch(noop);
    return "stopped early";
  });
  const run = await runWorkflow(main);
  await run.cancels();
  expect(run.result).toBe("stopped early");
});

test("another error thrown on the way out fails the run", async () => {
  const main = workflow("main", async () => {
    await sleep("1h").catch((cause) => {
      throw new Error("could not stop", { cause });
    });
  });
  const run = await runWorkflow(main);
  await run.cancels();
  expect(run.failure).toBe("failed: Error: could not stop");
});

test("a cancellation that nobody asked for fails the run", async () => {
  const main = workflow("main", async () => {
    throw new CanceledFailure("of my own");
  });
  expect((await runWorkflow(main)).failure).toBe("failed: CanceledFailure: of my own");
});

test("a step's failure that a cancellation caused counts as one when the request was made", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  await run.cancels();
  const { command } = run.engine.pendingCommands().next().value as { command: number };
  const canceled = { kind: "canceled", type: "CanceledFailure", message: "enough", retryable: false } as const;
  await run.tell({ type: "StepFailed", command, name: "a", failure: canceled, attempt: 3, inputHash: null });
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
});

test("asking twice changes nothing, and does not reach what was shielded from the first", async () => {
  const main = workflow("main", async () => {
    try {
      await sleep("1h");
    } finally {
      await nonCancellable(() => step("undo", noop));
    }
  });
  const run = await runWorkflow(main);
  await run.cancels("first");
  run.changes();
  await run.cancels("second");
  expect(run.changes()).toEqual([]);
  await run.completes("undo");
  expect(run.failure).toBe("canceled: CanceledFailure: first");
});

test("a request that comes with the last result comes too late", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  await run.tell(run.completed("a", "done"), { type: "CancelRequested", mail: 1, reason: "late" });
  expect(run.result).toBe("done");
  expect((await replay(main, run.history)).result).toBe("done");
});

test("a result that comes right after the request is the step's result", async () => {
  const main = workflow("main", async () => {
    const a = await step("a", noop);
    await step("b", noop);
    return a;
  });
  const run = await runWorkflow(main);
  await run.tell({ type: "CancelRequested", mail: 1, reason: "enough" }, run.completed("a", 1));
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  expect(run.changes()).toEqual(["asked 1 step a", "cancelRequested 1 step a"]);
});

test("Promise.all rejects with the cancellation of the first branch, and the others are told as well", async () => {
  const main = workflow("main", async () =>
    Promise.all([step("a", noop), sleep("1h"), go.receive(), condition(() => false), step("b", noop)]),
  );
  const run = await runWorkflow(main);
  run.changes();
  await run.cancels();
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  expect(run.changes()).toEqual([
    "cancelRequested 1 step a",
    "withdrawn 2 timer sleep",
    "cancelRequested 3 step b",
    "withdrawn 1 step a",
    "withdrawn 3 step b",
  ]);
});

test("Promise.allSettled waits for the steps that are stopping", async () => {
  const main = workflow("main", async () => {
    const ends = await Promise.allSettled([step("a", noop), sleep("1h"), step("b", noop)]);
    return ends.map((end) => (end.status === "fulfilled" ? end.value : isCanceled(end.reason)));
  });
  const run = await runWorkflow(main);
  await run.cancels();
  expect(run.pending).toEqual(["1 step a", "3 step b"]);
  await run.tell(canceledStep(run, "b"), run.completed("a", "charged"));
  expect(run.result).toEqual(["charged", true, true]);
});

test("what was pending is told in the order in which it was asked for", async () => {
  const order: string[] = [];
  const main = workflow("main", async () => {
    const told = (name: string) => () => void order.push(name);
    await Promise.all([
      sleep("1h").catch(told("first")),
      step("a", noop, { onCancel: "abandon" }).catch(told("second")),
      sleep("2h").catch(told("third")),
    ]);
  });
  const run = await runWorkflow(main);
  await run.cancels();
  expect(order).toEqual(["first", "second", "third"]);
});

test("a request leaves an unfinished retry with the step: it is told like one under way", async () => {
  const main = workflow("main", async () => step("a", noop));
  const run = await runWorkflow(main);
  const failure = { kind: "application", type: "Error", message: "x", retryable: true } as const;
  await run.tell({
    type: "StepAttemptFailed",
    command: 1,
    name: "a",
    failure,
    attempt: 1,
    delayMs: 60_000,
    firstAttemptAt: 0,
    heartbeat: null,
  });
  run.changes();
  await run.cancels();
  expect(run.changes()).toEqual(["cancelRequested 1 step a"]);
});

test("signal handlers of a canceled run still get signals, and what they ask for rejects", async () => {
  let rejected: unknown;
  const main = workflow("main", async () => {
    go.handle(async (name) => {
      await step(`handle ${name}`, noop).catch((error) => {
        rejected = error;
      });
    });
    await sleep("1h").catch(noop);
    await nonCancellable(() => step("undo", noop));
  });
  const run = await runWorkflow(main);
  await run.cancels();
  await run.signals("go", "x");
  expect(isCanceled(rejected)).toBe(true);
  expect(run.pending).toEqual(["2 step undo"]);
});
