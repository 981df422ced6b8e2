// What `waitForAny` waits for: signals and webhooks, which are kept until somebody takes them, and children, which have ended
// once and for all.

import { EverstepError } from "../protocol/errors.ts";
import { type ChildRun, pendingOf } from "./child.ts";
import type { PendingChild } from "./run-context.ts";
import type { SignalDefinition } from "./signal.ts";
import { signalOf, type Webhook } from "./webhook.ts";

/** A signal, a child run that `startChild` gave, or a webhook that `createWebhook` gave. */
export type Waitable = SignalDefinition<unknown> | ChildRun<unknown> | Webhook<unknown>;

/** By the names that the waiting code has for them. */
export type Waitables = Readonly<Record<string, Waitable>>;

/** What comes of one: the signal's payload, the child's result, the webhook's delivery. */
export type ValueOf<One extends Waitable> =
  One extends ChildRun<infer Result>
    ? Result
    : One extends SignalDefinition<infer _Payload, infer Received>
      ? Received
      : One extends Webhook<infer Received>
        ? Received
        : never;

/** A signal, or that of a webhook, with the caller's name for it. */
export interface NamedSignal {
  readonly winner: string;
  readonly definition: SignalDefinition<unknown>;
}

export interface NamedChild {
  readonly winner: string;
  readonly pending: PendingChild;
}

export interface SortedWaitables {
  /** By the signal's own name; of two for one signal the first. */
  readonly signals: ReadonlyMap<string, NamedSignal>;
  /** In the order of the object. */
  readonly children: readonly NamedChild[];
}

/** Throws ARGUMENT_INVALID for anything else, and for nothing at all. */
export function sortWaitables(waitables: Waitables): SortedWaitables {
  const signals = new Map<string, NamedSignal>();
  const children: NamedChild[] = [];
  for (const [winner, waitable] of Object.entries(waitables)) {
    const pending = pendingOf(waitable);
    if (pending !== undefined) {
      children.push({ winner, pending });
      continue;
    }
    const definition = signalOf(waitable) ?? waitable;
    if (!isSignal(definition)) {
      throw invalid(`of signals, child runs and webhooks; "${winner}" is none of them`, winner);
    }
    if (!signals.has(definition.name)) signals.set(definition.name, { winner, definition });
  }
  if (signals.size === 0 && children.length === 0) {
    throw invalid("of signals, child runs and webhooks, at least one: nothing else could ever wake it", "waitables");
  }
  return { signals, children };
}

/** The one that ended first; of those that ended in one turn the first in the object. Undefined while all go on. */
export function firstEnded(children: readonly NamedChild[]): (NamedChild & { readonly turn: number }) | undefined {
  let first: (NamedChild & { readonly turn: number }) | undefined;
  for (const child of children) {
    const turn = child.pending.endedInTurn;
    if (turn !== undefined && (first === undefined || turn < first.turn)) first = { ...child, turn };
  }
  return first;
}

function isSignal(waitable: Waitable): waitable is SignalDefinition<unknown> {
  const { receive, handle } = (waitable ?? {}) as Partial<SignalDefinition<unknown>>;
  return typeof receive === "function" && typeof handle === "function";
}

function invalid(takes: string, argument: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", `waitForAny() takes an object ${takes}.`, { details: { argument } });
}
