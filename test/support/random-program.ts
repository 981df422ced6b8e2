// Programs by chance: a tree of waits and combinations that runs as workflow code and writes down all it sees. Shared
// state, the order of `then`, races, handlers, scopes that code cancels and random numbers are in it, because these are
// what interleaving changes.

import fc from "fast-check";
import {
  cancelScope,
  condition,
  defineSignal,
  executeChild,
  externalRun,
  nonCancellable,
  parallel,
  poll,
  race,
  saga,
  sleep,
  startChild,
  step,
  type Workflow,
  waitForAny,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import { requireRun } from "../../sdk/workflow/ambient.ts";

export type Program =
  | { readonly do: "step"; readonly name: string; readonly onCancel: "wait" | "abandon" }
  | { readonly do: "sleep" }
  | { readonly do: "child"; readonly onCancel: "wait" | "request" | "try" | "abandon" }
  | { readonly do: "mail"; readonly to: "child" | "other" }
  | { readonly do: "receive"; readonly signal: Signal; readonly timeout: boolean }
  | { readonly do: "until"; readonly least: number; readonly timeout: boolean }
  | { readonly do: "draw" }
  | { readonly do: "eitherSignal"; readonly timeout: boolean }
  | { readonly do: "signalsOrChildren"; readonly onCancel: "wait" | "request" | "try" | "abandon" }
  | { readonly do: "poll"; readonly name: string; readonly timeout: boolean }
  | { readonly do: "seq" | "all" | "race" | "any" | "allSettled"; readonly parts: readonly Program[] }
  | { readonly do: "firstOf"; readonly parts: readonly Program[] }
  | { readonly do: "batch"; readonly parts: readonly Program[]; readonly concurrency: number; readonly enough: number }
  | { readonly do: "caught" | "shielded" | "timed" | "stoppable" | "undoable"; readonly part: Program };

export type Signal = "red" | "blue";
const helper = workflow("helper", async (of: string) => of);
const signals = { red: defineSignal<number>("red"), blue: defineSignal<number>("blue") };
/** Its handler counts, waits for a step, and counts again. */
const bump = defineSignal<number>("bump");
/** Cancels the scope that was made last. */
const halt = defineSignal<number>("halt");

/** The program as a workflow, and what its latest execution has seen so far. */
export function workflowOf(program: Program): { readonly workflow: Workflow<void, unknown>; trace(): string[] } {
  let trace: string[] = [];
  const main = workflow<void, unknown>("program", async () => {
    const seen: string[] = [];
    trace = seen;
    const state: Execution["state"] = { count: 0, scopes: [] };
    halt.handle((by) => state.scopes.pop()?.cancel(`halt ${by}`));
    const { run } = requireRun("program");
    bump.handle(async (by) => {
      state.count += by;
      seen.push(`bump ${by} at ${run.info.historyLength}`);
      await step("bumped", () => {}).catch((error) => seen.push(String(error)));
      state.count++;
    });
    return execute(program, "", { seen, state });
  });
  return { workflow: main, trace: () => trace };
}

interface Execution {
  readonly seen: string[];
  readonly state: { count: number; readonly scopes: { cancel(reason: string): void }[] };
}

async function execute(program: Program, place: string, execution: Execution): Promise<unknown> {
  const { seen, state } = execution;
  const { run } = requireRun("program");
  const note = (what: unknown) => {
    state.count++;
    seen.push(
      `${place} ${program.do} ${JSON.stringify(what)} count ${state.count} at ${run.info.historyLength} ${run.now()}`,
    );
    return what;
  };
  const parts = () =>
    ("parts" in program ? program.parts : []).map((part, n) => execute(part, `${place}.${n}`, execution));
  try {
    switch (program.do) {
      case "step":
        return note(await step(program.name, () => {}, { onCancel: program.onCancel }));
      case "sleep":
        return note(await sleep("1h"));
      case "child":
        return note(await executeChild(helper, { input: place, onCancel: program.onCancel }));
      case "mail":
        if (program.to === "other") return note(await externalRun("other").signal(signals.red, state.count));
        return note(await startChild(helper, { input: place }).signal(signals.blue, 1));
      case "receive":
        return note(
          await signals[program.signal].receive(...((program.timeout ? [{ timeout: "1m" } as const] : []) as [])),
        );
      case "until": {
        const holds = () => state.count >= program.least;
        return note(program.timeout ? await condition(holds, { timeout: "1m" }) : await condition(holds));
      }
      case "draw":
        return note([run.random(), run.randomUUID()]);
      case "eitherSignal":
        return note(await waitForAny(signals, program.timeout ? { timeout: "1m" } : { timeout: "1 week" }));
      case "signalsOrChildren": {
        const [left, right] = [
          startChild(helper, { input: place, onCancel: program.onCancel }),
          startChild(helper, { input: "" }),
        ];
        const first = note(await waitForAny({ left, ...signals, right }));
        return [first, note(await waitForAny({ left, right, ...signals }, { timeout: 0 }))];
      }
      case "poll": {
        const check = () => undefined as number | undefined;
        const options = program.timeout ? { every: "1s", timeout: "1m" } : { every: "1s", maxAttempts: 3 };
        return note(await poll(program.name, check, options as { every: "1s"; timeout: "1m" }));
      }
      case "firstOf": {
        const entries = program.parts.map((part, n) => [`${n}`, () => execute(part, `${place}.${n}`, execution)]);
        return note(await race(Object.fromEntries(entries)));
      }
      case "batch": {
        const { concurrency, enough } = program;
        const branches = program.parts.map((part, n) => () => execute(part, `${place}.${n}`, execution));
        const ends = await parallel(branches, { concurrency, minSuccessful: enough });
        return note(ends.map(({ status }) => status));
      }
      case "timed":
        return note(await withTimeout("1m", () => execute(program.part, `${place}.t`, execution)));
      case "stoppable": {
        const scope = cancelScope();
        state.scopes.push(scope);
        return note(await scope.run(() => execute(program.part, `${place}.p`, execution)));
      }
      case "undoable":
        return note(
          await saga((undo) => {
            undo.add("undo", () => step("undo", () => {}));
            return execute(program.part, `${place}.u`, execution);
          }),
        );
      case "seq": {
        for (const [n, part] of program.parts.entries()) await execute(part, `${place}.${n}`, execution);
        return note("through");
      }
      case "all":
        return note(await Promise.all(parts()));
      case "race":
        return note(await Promise.race(parts()));
      case "any":
        return note(await Promise.any(parts()));
      case "allSettled":
        return note((await Promise.allSettled(parts())).map(({ status }) => status));
      case "caught":
        return note(await execute(program.part, `${place}.c`, execution).catch(String));
      case "shielded":
        return note(await nonCancellable(() => execute(program.part, `${place}.s`, execution)));
    }
  } catch (error) {
    note(String(error));
    throw error;
  }
}

const { branch } = fc.letrec<{ node: Program; leaf: Program; branch: Program }>((tie) => ({
  node: fc.oneof({ maxDepth: 4, depthSize: "large" }, tie("leaf"), { arbitrary: tie("branch"), weight: 2 }),
  leaf: fc.oneof<fc.MaybeWeightedArbitrary<Program>[]>(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("step"),
        name: fc.constantFrom("a", "b"),
        onCancel: fc.constantFrom("wait", "abandon"),
      }),
    },
    fc.constant({ do: "sleep" }),
    fc.record({ do: fc.constant("child"), onCancel: fc.constantFrom("wait", "request", "try", "abandon") }),
    fc.record({ do: fc.constant("mail"), to: fc.constantFrom("child", "other") }),
    fc.record({ do: fc.constant("receive"), signal: fc.constantFrom("red", "blue"), timeout: fc.boolean() }),
    fc.record({ do: fc.constant("until"), least: fc.nat(20), timeout: fc.boolean() }),
    fc.constant({ do: "draw" }),
    fc.record({ do: fc.constant("eitherSignal"), timeout: fc.boolean() }),
    fc.record({ do: fc.constant("signalsOrChildren"), onCancel: fc.constantFrom("wait", "request", "try", "abandon") }),
    fc.record({ do: fc.constant("poll"), name: fc.constantFrom("a", "b"), timeout: fc.boolean() }),
  ),
  branch: fc.oneof<fc.MaybeWeightedArbitrary<Program>[]>(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom("seq", "all", "race", "any", "allSettled"),
        parts: fc.array(tie("node"), { minLength: 2, maxLength: 4 }),
      }),
    },
    fc.record({ do: fc.constant("firstOf"), parts: fc.array(tie("node"), { minLength: 1, maxLength: 3 }) }),
    fc.record({
      do: fc.constant("batch"),
      parts: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
      concurrency: fc.integer({ min: 1, max: 3 }),
      enough: fc.integer({ min: 1, max: 3 }),
    }),
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom("caught", "shielded", "timed", "stoppable", "undoable"),
        part: tie("node"),
      }),
    },
  ),
}));

/** Some branches side by side, or one after the other; what fails in one does not end the others. */
export const anyProgram: fc.Arbitrary<Program> = fc.record({
  do: fc.constantFrom("seq", "all"),
  parts: fc.array(
    branch.map((part): Program => ({ do: "caught", part })),
    { minLength: 2, maxLength: 4 },
  ),
});
