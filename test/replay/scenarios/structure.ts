// Parts of a run that are stopped, limited, done side by side, asked for again and again, and undone.

import {
  BatchFailure,
  cancelScope,
  isCanceled,
  map,
  nonCancellable,
  parallel,
  poll,
  race,
  saga,
  sleep,
  step,
  TimeoutFailure,
  withTimeout,
} from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

/** A step and a pause, then what it is to come to. */
async function work<T>(name: string, value: T): Promise<T> {
  await step(name, () => name);
  await sleep("1h");
  return value;
}

/** How often the world was asked. */
let asked = 0;

export const structure: readonly Scenario[] = [
  scenario(
    "a scope that the code cancels, with a shield in it",
    async () => {
      const seen: string[] = [];
      const scope = cancelScope();
      const part = scope.run(async () => {
        try {
          await work("begun", 1);
          await sleep("10 days");
        } catch (error) {
          if (!isCanceled(error)) throw error;
          seen.push(await nonCancellable(() => work("cleaned up", "clean")));
        }
      });
      await sleep("1 day");
      scope.cancel("long enough");
      await part;
      return [...seen, await work("after", "after")];
    },
    { result: ["clean", "after"] },
  ),
  scenario(
    "a limit of time that is kept, one that is not, and one inside the other",
    async () => {
      const kept = await withTimeout("2h", () => work("short", "in time"));
      const late = await withTimeout("2 days", async () => {
        const inner = await withTimeout("30m", () => work("long", "never")).catch((error: unknown) => {
          if (error instanceof TimeoutFailure) return "late";
          throw error;
        });
        return [inner, await work("then", "then")];
      });
      return [kept, ...late];
    },
    { result: ["in time", "late", "then"] },
  ),
  scenario(
    "a race that stops its losers",
    async () => {
      const first = await race({
        slow: () => sleep("3h"),
        quick: () => work("quick", 7),
        slower: () => sleep("1 day"),
      });
      await sleep("2 days");
      return first;
    },
    { result: { winner: "quick", value: 7 } },
  ),
  scenario(
    "many items, so many at once, in their order",
    // No two of them are woken in the same instant: in which order steps end that begin together is not for the code to say.
    () =>
      map(
        [1, 2, 3, 4, 5],
        async (item) => {
          await step(`item ${item}`, () => item);
          await sleep(`${item} hours`);
          return item * 10;
        },
        { concurrency: 2 },
      ),
    { result: [10, 20, 30, 40, 50] },
  ),
  scenario(
    "enough of many items, with failures that are tolerated",
    async () => {
      const outcomes = await map(
        [1, 2, 3, 4, 5],
        async (item) => {
          await sleep(item * 1_000);
          return step(
            `item ${item}`,
            () => {
              if (item === 2) throw new Error("not this one");
              return item;
            },
            { retry: { maxAttempts: 1 } },
          );
        },
        { minSuccessful: 3, toleratedFailures: 1 },
      );
      return outcomes.map((outcome) => (outcome.status === "completed" ? outcome.value : outcome.status));
    },
    { result: [1, "failed", 3, 4, "canceled"] },
  ),
  scenario(
    "branches of which one fails for all",
    async () => {
      const fails = () => step("bad", () => Promise.reject(new Error("bad")), { retry: { maxAttempts: 1 } });
      try {
        return await parallel([() => work("good", 1), fails]);
      } catch (error) {
        if (!(error instanceof BatchFailure)) throw error;
        return error.failures.map(({ index }) => index);
      }
    },
    { result: [1] },
  ),
  scenario(
    "asking until there is an answer, and giving up",
    async () => [
      await poll("found", () => ++asked > 2 && "here", { every: "1h", backoff: 2 }),
      await poll("given up", () => false, { every: "1h", maxAttempts: 2 }),
    ],
    { result: ["here", undefined] },
    {
      prepare: () => {
        asked = 0;
      },
    },
  ),
  scenario(
    "a saga that undoes what was done, in reverse",
    () =>
      saga(async (undo) => {
        for (const part of ["flight", "hotel"]) {
          await work(`book ${part}`, part);
          undo.add(part, () => work(`cancel ${part}`, part));
        }
        await step("book car", () => Promise.reject(new Error("no car")), { retry: { maxAttempts: 1 } });
      }),
    { status: "RunFailed", because: "no car" },
  ),
  scenario(
    "a saga of a run that is canceled",
    () =>
      saga(async (undo) => {
        await work("book flight", 1);
        undo.add("flight", () => work("cancel flight", 1));
        await sleep("30 days");
      }),
    { status: "RunCanceled" },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.cancel("enough");
      },
    },
  ),
];
