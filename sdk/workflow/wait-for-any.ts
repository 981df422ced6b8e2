// Waiting for whichever of several things comes first, and leaving the others as they are.

import { toMs } from "../protocol/duration.ts";
import { requireRun } from "./ambient.ts";
import type { PendingCondition, PendingTimer, RunContext } from "./run-context.ts";
import { type ReceiveOptions, readPayload } from "./signal.ts";
import { firstEnded, type SortedWaitables, sortWaitables, type ValueOf, type Waitables } from "./waitables.ts";

/** Which it was, and what came of it: a union to tell apart by `winner`, as the result of `race` is. */
// Of a condition an editor shows what it comes to, not what it was made of.
export type FirstOf<Waiting extends Waitables> = Waiting extends Waitables
  ? {
      [Name in keyof Waiting & string]: { readonly winner: Name; readonly value: ValueOf<Waiting[Name]> };
    }[keyof Waiting & string]
  : never;

/**
 * Waits for the first of several signals, child runs and webhooks. `value` is the signal's payload, the child's result or the
 * webhook's delivery. Only the winner is taken: what comes for the others stays for whoever receives it next, and children go
 * on. Of what is there already the oldest wins, by the history and whatever its name: a signal or a delivery by when it came,
 * a child by when it ended. A child stays ended: leave it out of the next call, where it would win again.
 *
 * With a timeout, resolves to undefined when time ran out; 0 takes what is there. A signal that has a handler goes to the
 * handler, as with `receive`, and one that does not fit its schema is left out.
 *
 * A child that did not complete wins too: rejects as its `result` does, with `ChildFailure`, whose `workflowId` says which.
 * Rejects with `CanceledFailure` when the run or its scope is canceled, at once: to wait for a child that is told to stop
 * await its `result`. Throws ARGUMENT_INVALID for anything but an object of these, at least one, and for a bad timeout;
 * OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY.
 */
export function waitForAny<Waiting extends Waitables>(waitables: Waiting): Promise<FirstOf<Waiting>>;
export function waitForAny<Waiting extends Waitables>(
  waitables: Waiting,
  options: ReceiveOptions,
): Promise<FirstOf<Waiting> | undefined>;
export async function waitForAny(waitables: Waitables, options?: ReceiveOptions): Promise<unknown> {
  const { run, scope } = requireRun("waitForAny()");
  run.refuseInReadOnly("waitForAny()");
  const sorted = sortWaitables(waitables);
  const timeoutMs = options === undefined ? null : toMs(options.timeout, "waitForAny({ timeout })");
  if (scope.canceledBy !== undefined) throw scope.canceledBy;

  const ended = firstEnded(sorted.children);
  const kept = takeKept(run, sorted.signals, ended?.turn);
  if (kept !== undefined) return kept;
  if (ended !== undefined) return endOf(sorted);
  if (timeoutMs === 0) return undefined;

  // One event is delivered at a time: by the next one all but the winner are withdrawn, and take nothing away.
  const waitFor = (name: string) => {
    const { received, withdraw } = run.waitForSignal(name, scope);
    return { withdraw, first: received.then((message) => ({ name, message })) };
  };
  const waits = new Map([...sorted.signals.keys()].map((name) => [name, waitFor(name)]));
  let timer: PendingTimer | null = null;
  let end: PendingCondition | null = null;
  try {
    if (timeoutMs !== null) timer = run.askTimer({ name: "waitForAny", due: { afterMs: timeoutMs } }, scope);
    // As a condition it leaves nothing behind at a child that goes on, however often it is waited for.
    const hasEnded = () => firstEnded(sorted.children) !== undefined;
    if (sorted.children.length > 0) end = run.waitUntil(hasEnded, scope);
    for (;;) {
      const firsts: Promise<"late" | "ended" | Awaited<ReturnType<typeof waitFor>["first"]>>[] = [];
      for (const { first } of waits.values()) firsts.push(first);
      if (timer !== null) firsts.push(timer.fired.then(() => "late"));
      if (end !== null) firsts.push(end.held.then(() => "ended"));
      const first = await Promise.race(firsts);
      if (first === "late") return undefined;
      if (first === "ended") return await endOf(sorted);
      const fitting = read(run, sorted.signals, first);
      if (fitting !== undefined) return fitting;
      waits.set(first.name, waitFor(first.name));
    }
  } finally {
    for (const waiting of waits.values()) waiting.withdraw();
    timer?.withdraw();
    end?.withdraw();
  }
}

type Signals = SortedWaitables["signals"];
type Received = NonNullable<ReturnType<RunContext["takeFirstSignal"]>>;

/** The oldest signal that is kept and fits, taken; of those that came by the end of a turn, if given. */
function takeKept(run: RunContext, signals: Signals, byTurn: number | undefined) {
  const names = new Set(signals.keys());
  for (;;) {
    const kept = run.takeFirstSignal(names, { byTurn });
    if (kept === undefined) return undefined;
    const fitting = read(run, signals, kept);
    if (fitting !== undefined) return fitting;
  }
}

/** Undefined for one that does not fit its schema. */
function read(run: RunContext, signals: Signals, { name, message }: Received) {
  const signal = signals.get(name);
  const fitting = signal && readPayload(signal.definition, message, run);
  return fitting && { winner: signal.winner, value: fitting.payload };
}

async function endOf({ children }: SortedWaitables) {
  const first = firstEnded(children);
  return first && { winner: first.winner, value: await first.pending.ended };
}
