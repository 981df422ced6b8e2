// When many items are done: at the first failure, after enough successes, or after more failures than may be.

import { EverstepError } from "../protocol/errors.ts";

/** How many failures a batch bears, and how many successes are enough. */
export interface Tolerance {
  /** Enough successes, from 1 up: the items that are left are canceled then. Default: all that can be had. */
  readonly minSuccessful?: number;
  /** Failures that are borne. Default: as many as leave `minSuccessful` possible; without it, all that the rate bears. */
  readonly toleratedFailures?: number;
  /** The share of all items that may fail, from 0 to 1. Default 1 where another of these is given. */
  readonly toleratedFailureRate?: number;
}

export interface CompletionPolicy {
  readonly enough: number;
  readonly mostFailures: number;
}

/**
 * The policy for `count` items; without any tolerance, the first failure is one too many. `caller` names the place. Throws
 * ARGUMENT_INVALID naming the option.
 */
export function completionPolicy(tolerance: Tolerance, count: number, caller: string): CompletionPolicy {
  const { minSuccessful, toleratedFailures, toleratedFailureRate } = tolerance;
  const check = (value: number | undefined, name: string, rule: string, isFine: (value: number) => boolean) => {
    if (value === undefined || (typeof value === "number" && isFine(value))) return;
    const message = `${caller}: ${name} must be ${rule}; got ${String(value).slice(0, 100)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: name } });
  };
  const isWhole = (least: number) => (value: number) => Number.isSafeInteger(value) && value >= least;
  check(minSuccessful, "minSuccessful", "a whole number from 1 up", isWhole(1));
  check(toleratedFailures, "toleratedFailures", "a whole number from 0 up", isWhole(0));
  check(toleratedFailureRate, "toleratedFailureRate", "a number from 0 to 1", (value) => value >= 0 && value <= 1);

  if (!isTolerant(tolerance)) return { enough: count, mostFailures: 0 };
  const mostFailures = Math.min(
    toleratedFailures ?? count,
    // A rate such as 0.07 of 100 is 7.000000000000001 or 6.999999999999999 to a computer.
    Math.floor((toleratedFailureRate ?? 1) * count + 1e-9),
    count - (minSuccessful ?? 0),
  );
  return { enough: minSuccessful ?? count, mostFailures };
}

/** Failures are part of the result, instead of the end of it. */
export function isTolerant({ minSuccessful, toleratedFailures, toleratedFailureRate }: Tolerance): boolean {
  return minSuccessful !== undefined || toleratedFailures !== undefined || toleratedFailureRate !== undefined;
}
