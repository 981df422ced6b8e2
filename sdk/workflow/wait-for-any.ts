// Waiting for whichever of several signals comes first.

import { toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { requireRun } from "./ambient.ts";
import type { ReceiveOptions, SignalDefinition } from "./signal.ts";

/** Signals by the names that the waiting code has for them. */
export type Signals = Readonly<Record<string, SignalDefinition<unknown>>>;

/** Which signal it was, and its payload: a union to tell apart by `winner`, as the result of `race` is. */
export type FirstSignal<Waiting extends Signals> = {
  [Name in keyof Waiting & string]: {
    readonly winner: Name;
    readonly value: Waiting[Name] extends SignalDefinition<infer Payload> ? Payload : never;
  };
}[keyof Waiting & string];

/**
 * Waits for the first of several signals and takes it, and only it: what comes for the others stays for whoever receives
 * it next. Of signals that wait already the oldest is taken, whatever its name. With a timeout, resolves to undefined when
 * time ran out; 0 takes what is there. A signal that has a handler goes to the handler, as with `receive`.
 *
 * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID for anything but an object
 * of signals, at least one, and for a bad timeout; OUTSIDE_WORKFLOW.
 */
export function waitForAny<Waiting extends Signals>(signals: Waiting): Promise<FirstSignal<Waiting>>;
export function waitForAny<Waiting extends Signals>(
  signals: Waiting,
  options: ReceiveOptions,
): Promise<FirstSignal<Waiting> | undefined>;
export async function waitForAny(signals: Signals, options?: ReceiveOptions): Promise<unknown> {
  const { run, scope } = requireRun("waitForAny()");
  run.refuseInReadOnly("waitForAny()");
  const winners = winnersBySignal(signals);
  const timeoutMs = options === undefined ? null : toMs(options.timeout, "waitForAny({ timeout })");
  if (scope.canceledBy !== undefined) throw scope.canceledBy;

  const buffered = run.takeFirstSignal(new Set(winners.keys()));
  if (buffered !== undefined) return { winner: winners.get(buffered.name), value: buffered.message.value };
  if (timeoutMs === 0) return undefined;

  // One event is delivered at a time: by the next one all but the winner are withdrawn, and take nothing away.
  const waits = [...winners].map(([name, winner]) => ({ winner, ...run.waitForSignal(name, scope) }));
  const firsts: Promise<unknown>[] = waits.map(({ winner, received }) =>
    received.then(({ value }) => ({ winner, value })),
  );
  const timer = timeoutMs === null ? null : run.askTimer({ name: "waitForAny", due: { afterMs: timeoutMs } }, scope);
  if (timer !== null) firsts.push(timer.fired.then(() => undefined));
  try {
    return await Promise.race(firsts);
  } finally {
    for (const waiting of waits) waiting.withdraw();
    timer?.withdraw();
  }
}

/** The caller's name for each signal's own; of two for one signal the first. */
function winnersBySignal(signals: Signals): Map<string, string> {
  const winners = new Map<string, string>();
  for (const [winner, definition] of Object.entries(signals)) {
    if (typeof definition?.receive !== "function") {
      const message = `waitForAny() takes an object of signals made by defineSignal(); "${winner}" is none.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: winner } });
    }
    if (!winners.has(definition.name)) winners.set(definition.name, winner);
  }
  if (winners.size > 0) return winners;
  const message = "waitForAny() takes an object of signals, at least one: nothing else could ever wake it.";
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "signals" } });
}
