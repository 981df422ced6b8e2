// Code that was changed with patched(): which way a run goes is decided once, in its history, wherever it is cut.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import {
  condition,
  defineQuery,
  defineSignal,
  deprecatePatch,
  patched,
  sleep,
  step,
  workflow,
} from "../../sdk/index.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { type DrivenRun, type RunOptions, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal<string>("go");
const peek = defineQuery<unknown>("peek");

/** A workflow as it was, as it was changed, and as it is when the old way is gone and then the call as well. */
const ORIGINAL = workflow("order", async () => {
  await step("reserve", noop);
  await step("charge", noop);
  await step("ship", noop);
  return "old";
});
const PATCHED = workflow("order", async () => {
  await step("reserve", noop);
  const isNew = patched("split-charge");
  if (isNew) {
    await step("authorize", noop);
    await step("capture", noop);
  } else {
    await step("charge", noop);
  }
  await step("ship", noop);
  return isNew ? "new" : "old";
});
const DEPRECATED = workflow("order", async () => {
  await step("reserve", noop);
  deprecatePatch("split-charge");
  await step("authorize", noop);
  await step("capture", noop);
  await step("ship", noop);
  return "new";
});
const REMOVED = workflow("order", async () => {
  await step("reserve", noop);
  await step("authorize", noop);
  await step("capture", noop);
  await step("ship", noop);
  return "new";
});

/** Answers the oldest command until there is none. */
async function carryOn(run: DrivenRun): Promise<DrivenRun> {
  for (let next = nextOf(run); next !== undefined; next = nextOf(run)) {
    await (next.kind === "RunStep" ? run.completes(next.ask.name) : run.fires(next.name));
  }
  return run;
}

function nextOf(run: DrivenRun) {
  return run.engine.pendingCommands().next().value;
}

const live = (main: AnyWorkflow, options: RunOptions = {}) => runWorkflow(main, { isLive: true, ...options });
const toEnd = async (main: AnyWorkflow) => (await carryOn(await live(main))).history;
const typesOf = (history: readonly HistoryEvent[]) => history.map(({ type }) => type);

async function brokenBy(history: readonly HistoryEvent[], main: AnyWorkflow): Promise<string> {
  const run = await replay(main, history, { recordsCallSites: true });
  expect(run.engine.broken).toMatchObject({ code: "DIVERGENCE" });
  return run.engine.broken?.message ?? "";
}

// ---------------------------------------------------------------- what is answered

test("a run that gets there for the first time goes the new way, and says so before anything that hangs on it", async () => {
  const history = await toEnd(PATCHED);
  expect(history.slice(1).map((event) => ("name" in event ? event.name : event.type))).toEqual([
    "reserve",
    "split-charge",
    "authorize",
    "capture",
    "ship",
  ]);
  expect(history[2]).toMatchObject({ type: "PatchMarked", name: "split-charge", since: 2, isDeprecated: false });
  expect((await replay(PATCHED, history)).result).toBe("new");
});

test("a run that was past it without the mark goes the way it went", async () => {
  const history = await toEnd(ORIGINAL);
  for (let length = 3; length <= history.length; length++) {
    const run = await replay(PATCHED, history.slice(0, length));
    expect((await carryOn(run)).result).toBe("old");
    expect(run.engine.takeMarks()).toEqual([]);
  }
});

test("a run that was not there yet when the code changed goes the new way", async () => {
  const before = (await runWorkflow(ORIGINAL)).history;
  const run = await replay(PATCHED, before);
  run.engine.goLive();
  expect((await carryOn(run)).result).toBe("new");
  expect(run.history[2]).toMatchObject({ type: "PatchMarked", since: 2 });
});

test("a run that is taken up just where the change is goes the way its last owner may have begun", async () => {
  const upToTheChange = (await toEnd(ORIGINAL)).slice(0, 2);
  const run = await replay(PATCHED, upToTheChange);
  expect(run.pending).toEqual(["2 step charge"]);
  run.engine.goLive();
  expect((await carryOn(run)).result).toBe("old");
});

test("yes is remembered, no is not: in a loop the same run may get both", async () => {
  const looping = workflow("loop", async () => {
    const answers: boolean[] = [];
    for (let round = 0; round < 4; round++) {
      answers.push(patched("in-loop"), patched("in-loop"));
      await step("round", noop);
    }
    return answers;
  });
  const fresh = await carryOn(await live(looping));
  expect(fresh.result).toEqual(Array(8).fill(true));
  expect(typesOf(fresh.history).filter((type) => type === "PatchMarked")).toHaveLength(1);

  const unpatched = workflow("loop", async () => {
    for (let round = 0; round < 4; round++) await step("round", noop);
  });
  const old = await runWorkflow(unpatched);
  await old.completes("round");
  const run = await replay(looping, old.history);
  run.engine.goLive();
  await carryOn(run);
  expect(run.result).toEqual([false, false, false, false, true, true, true, true]);
  expect((await replay(looping, run.history)).result).toEqual(run.result);
});

test("several patches are marked in the order of asking, each once", async () => {
  const main = workflow("several", async () => {
    const first = [patched("b"), patched("a"), patched("b")];
    await sleep("1s");
    return [...first, patched("c"), patched("a")];
  });
  const run = await carryOn(await live(main));
  expect(run.history.flatMap((event) => (event.type === "PatchMarked" ? [[event.name, event.since]] : []))).toEqual([
    ["b", 1],
    ["a", 1],
    ["c", 5],
  ]);
  expect(run.result).toEqual(Array(5).fill(true));
  expect((await replay(main, run.history)).result).toEqual(run.result);
});

test("a patch is asked for in a signal handler, also for signals before the first line", async () => {
  const main = workflow("handles", async () => {
    const seen: string[] = [];
    go.handle(async (text) => {
      seen.push(`${text} ${patched(`for ${text}`)}`);
      await step(`after ${text}`, noop);
    });
    await step("main", noop);
    return seen;
  });
  const run = await live(main, { early: [{ name: "go", payload: "early" }] });
  await run.signals("go", "late");
  for (const name of ["after early", "after late", "main"]) await run.completes(name);
  expect(run.result).toEqual(["early true", "late true"]);
  expect((await replay(main, run.history)).result).toEqual(run.result);
});

test("what came in one commit is told apart event by event", async () => {
  const main = workflow("batched", async () => {
    const answers: string[] = [];
    const branch = async (name: string) => {
      await step(name, noop);
      answers.push(`${name} ${patched(name)}`);
      await step(`${name} again`, noop);
    };
    await Promise.all(["a", "b", "c"].map(branch));
    return answers;
  });
  const run = await live(main);
  await run.tell(run.completed("c"), run.completed("a"), run.completed("b"));
  // The marks stand behind all three, and each says after which of them it was asked for.
  expect(run.history.slice(4)).toMatchObject([
    { type: "PatchMarked", name: "c", since: 2 },
    { type: "PatchMarked", name: "a", since: 3 },
    { type: "PatchMarked", name: "b", since: 4 },
  ]);
  await carryOn(run);
  expect(run.result).toEqual(["c true", "a true", "b true"]);
  expect((await replay(main, run.history)).result).toEqual(run.result);
});

test("asked for where the run ends, the mark comes before the end, and every replay ends the same", async () => {
  const main = workflow("last", async () => {
    await step("a", noop);
    return patched("at-the-end");
  });
  const run = await carryOn(await live(main));
  expect(run.result).toBe(true);
  expect(typesOf(run.history)).toEqual(["RunStarted", "StepCompleted", "PatchMarked"]);
  const closed: HistoryEvent[] = [...run.history, { type: "RunCompleted", result: "true", unread: [], seq: 4, at: 0 }];
  expect((await replay(main, closed)).engine.broken).toBeUndefined();
});

test("code that goes on after the end of its run gets an answer and marks nothing", async () => {
  const answers: boolean[] = [];
  const main = workflow("detached", async () => {
    void Promise.resolve()
      .then(() => {})
      .then(() => {})
      .then(() => {})
      .then(() => answers.push(patched("too-late")));
  });
  const run = await live(main);
  expect({ answers, outcome: run.outcome?.type }).toEqual({ answers: [false], outcome: "completed" });
  expect(typesOf(run.history)).toEqual(["RunStarted"]);
});

// ---------------------------------------------------------------- wherever the history is cut

test("a history with its mark leads to the same state from each of its prefixes", async () => {
  const history = await toEnd(PATCHED);
  for (let length = 3; length <= history.length; length++) {
    const run = await replay(PATCHED, history.slice(0, length));
    await run.redeliver(history.slice(length));
    expect(run.engine.broken).toBeUndefined();
    expect(run.result).toBe("new");
  }
});

test("a mark of the first lines is theirs also where the history tells of a pause before it", async () => {
  const first = workflow("first", async () => (patched("new") ? step("new", noop) : step("old", noop)));
  const [started, mark, ...rest] = (await carryOn(await runWorkflow(first, { isLive: true }))).history;
  expect(mark).toMatchObject({ type: "PatchMarked", since: 1 });
  const at = started?.at ?? 0;
  const history = [
    started,
    { type: "RunPaused", mail: 1, reason: "", seq: 2, at },
    { type: "RunResumed", mail: 2, seq: 3, at },
    ...[mark, ...rest].map((event, index) => ({ ...event, seq: index + 4 })),
  ] as HistoryEvent[];
  const run = await replay(first, history);
  expect(run.engine.broken).toBeUndefined();
  expect(run.outcome?.type).toBe("completed");
});

test("a history that is cut before a mark holds nothing that hangs on it: it leads either way", async () => {
  const main = workflow("parallel", async () => {
    const side = step("side", noop).then(() => step("side again", noop));
    await step("a", noop);
    if (patched("p")) await Promise.all([step("new", noop), sleep("1s")]);
    else await step("old", noop);
    await side;
    return "done";
  });
  const run = await live(main);
  await run.tell(run.completed("a"), run.completed("side"));
  await carryOn(run);
  const mark = run.history.findIndex(({ type }) => type === "PatchMarked");
  expect(mark).toBe(3);
  for (let length = 1; length <= run.history.length; length++) {
    const again = await replay(main, run.history.slice(0, length));
    expect(again.engine.broken).toBeUndefined();
    again.engine.goLive();
    // Before the change it is asked anew; between the change and its mark it may have been told otherwise.
    const way = length === 1 || length > mark ? "new" : "old";
    await carryOn(again);
    expect(again.history.map((event) => ("name" in event ? event.name : ""))).toContain(way);
    expect((await replay(main, again.history)).engine.broken).toBeUndefined();
  }
});

test("how the events were batched changes nothing at replay", async () => {
  const history = await toEnd(PATCHED);
  for (let cut = 3; cut < history.length; cut++) {
    const run = await replay(PATCHED, history.slice(0, cut));
    for (const event of history.slice(cut)) await run.redeliver([event]);
    expect(run.result).toBe("new");
  }
});

// ---------------------------------------------------------------- from patched to deprecated to gone

const CODE = { original: ORIGINAL, patched: PATCHED, deprecated: DEPRECATED, removed: REMOVED };

test.each([
  ["original", "original", true],
  ["original", "patched", true],
  ["original", "deprecated", false],
  ["original", "removed", false],
  ["patched", "original", false],
  ["patched", "patched", true],
  ["patched", "deprecated", true],
  ["patched", "removed", false],
  ["deprecated", "original", false],
  ["deprecated", "patched", true],
  ["deprecated", "deprecated", true],
  ["deprecated", "removed", true],
  ["removed", "removed", true],
] as const)("a history that %s code wrote, replayed by %s code: fits %s", async (wrote, replays, fits) => {
  const { engine } = await replay(CODE[replays], await toEnd(CODE[wrote]));
  expect(engine.broken?.code).toBe(fits ? undefined : "DIVERGENCE");
});

test("deprecatePatch marks the run as one that needs no call", async () => {
  const history = await toEnd(DEPRECATED);
  expect(history[2]).toMatchObject({ type: "PatchMarked", name: "split-charge", isDeprecated: true });
});

test("deprecatePatch marks nothing in a run that is past it", async () => {
  const run = await replay(DEPRECATED, await toEnd(REMOVED));
  expect({ broken: run.engine.broken, marks: run.engine.takeMarks() }).toEqual({ broken: undefined, marks: [] });
});

test("a mark that the code does not ask for is told with both sides and the place in the code", async () => {
  const message = await brokenBy(await toEnd(PATCHED), REMOVED);
  expect(message).toContain(
    'Event 3 is PatchMarked("split-charge"), asked for after event 2; ' +
      'the code called no patched("split-charge") or deprecatePatch("split-charge")',
  );
  expect(message).toContain(`${fileURLToPath(import.meta.url)}:`);
});

test("a call that was moved is told with where it is now", async () => {
  const moved = workflow("order", async () => {
    const isNew = patched("split-charge");
    await step("reserve", noop);
    await step(isNew ? "authorize" : "charge", noop);
  });
  expect(await brokenBy(await toEnd(PATCHED), moved)).toContain(
    'Event 3 is PatchMarked("split-charge"), asked for after event 2; ' +
      'the code called patched("split-charge") or deprecatePatch("split-charge") only after event 1',
  );
});

test("another command behind the same call is a divergence like any other", async () => {
  const other = workflow("order", async () => {
    await step("reserve", noop);
    if (patched("split-charge")) await step("hold", noop);
  });
  expect(await brokenBy(await toEnd(PATCHED), other)).toContain(
    'Event 4 is StepCompleted("authorize") for command 2; the code asked for RunStep("hold") as command 2',
  );
});

// ---------------------------------------------------------------- where it may not be called

test("a query handler and a predicate may not ask", async () => {
  const main = workflow("reads", async () => {
    peek.handle(() => patched("peeked"));
    await step("a", noop);
    return condition(() => patched("looked")).catch(({ code }) => code);
  });
  const run = await live(main);
  expect(() => run.engine.query("peek", null)).toThrow(
    expect.objectContaining({ code: "QUERY_FAILED", cause: expect.objectContaining({ code: "COMMAND_IN_READ_ONLY" }) }),
  );
  await run.completes("a");
  expect(run.result).toBe("COMMAND_IN_READ_ONLY");
  expect(typesOf(run.history)).not.toContain("PatchMarked");
});

test("outside of a run there is nobody to answer", async () => {
  expect(() => patched("x")).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
  expect(() => deprecatePatch("x")).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
});

test.each(["", "a\nb", 7 as never, "x".repeat(201)])("%j is no id", (id) => {
  expect(() => patched(id)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  expect(() => deprecatePatch(id)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test("code that something foreign woke may not ask", async () => {
  let wake = noop;
  const foreign = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const main = workflow("foreign", async () => {
    await Promise.all([foreign.then(() => patched("late")), step("a", noop)]);
  });
  const run = await live(main);
  wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(run.engine.broken).toMatchObject({
    code: "FOREIGN_WAIT",
    message: expect.stringContaining('patched("late")'),
  });
});
