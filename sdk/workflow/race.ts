// The first of several branches, and an end for the others.

import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";

/** Functions by the names of their branches. */
export type Branches = Readonly<Record<string, () => unknown>>;

/** Which branch was first, and what it gave: a union to tell apart by `winner`. */
// Of a condition an editor shows what it comes to, not what it was made of.
export type RaceResult<Racing extends Branches> = Racing extends Branches
  ? {
      [Name in keyof Racing & string]: { readonly winner: Name; readonly value: Awaited<ReturnType<Racing[Name]>> };
    }[keyof Racing & string]
  : never;

/**
 * Starts every branch, in the order of the object's keys, and goes on with the first that ends; what the others wait for is
 * canceled. Which is first depends on the order of the history alone, so it is the same at replay. The others are not
 * waited for: their timers and waits are gone, a step of theirs sees its `signal` abort and ends in its own time.
 *
 * To wait for one of several signals use `waitForAny`: a branch that lost keeps a signal that it took.
 *
 * Rejects with what the first branch to end throws, and with `CanceledFailure` when the run or its scope is canceled.
 * Throws ARGUMENT_INVALID for branches that are no functions, or none at all, and OUTSIDE_WORKFLOW.
 */
export async function race<Racing extends Branches>(branches: Racing): Promise<RaceResult<Racing>> {
  const { run, scope: outer } = requireRun("race()");
  run.refuseInReadOnly("race()");
  const named = Object.entries(branches);
  if (named.length === 0 || named.some(([, branch]) => typeof branch !== "function")) {
    const message = "race() takes an object of functions, at least one: nothing else could ever come first.";
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "branches" } });
  }
  if (outer.canceledBy !== undefined) throw outer.canceledBy;

  const scope = new CancelScope(outer);
  const start = async ([winner, branch]: [string, () => unknown]) => ({ winner, value: await branch() });
  try {
    const first = await run.runInScope(scope, () => Promise.race(named.map(start)));
    return first as RaceResult<Racing>;
  } finally {
    run.cancelScope(scope, new CanceledFailure("another branch of race() was first"));
  }
}
