// Lengths of time as people write them. A wrong unit does not compile, and what compiles yet makes no sense is refused
// with the place it was given at.

import { EverstepError } from "./errors.ts";

const MS_PER_UNIT = {
  ms: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1_000,
  sec: 1_000,
  secs: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  mins: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hrs: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  weeks: 604_800_000,
} as const;

type Unit = keyof typeof MS_PER_UNIT;

/**
 * A length of time: a number of milliseconds, or a decimal number and a unit, with or without a space: `"250ms"`,
 * `"30s"`, `"5m"`, `"1.5h"`, `"2 days"`, `"1 week"`. A day is 24 hours and a week 7 days; months and years have no fixed
 * length and are not units. Never negative, at most 100 years (36,525 days).
 */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`;

export const MAX_DURATION_MS = 36_525 * 86_400_000;

const WRITTEN = /^(\d{1,15}(?:\.\d{1,15})?) ?([a-z]+)$/;

/**
 * A duration in whole milliseconds, parts of one rounded up: a wait is never shorter than was asked for. `what` names
 * the argument in the message. Throws ARGUMENT_INVALID for anything that is no `Duration`.
 */
export function toMs(duration: Duration, what: string): number {
  const ms = typeof duration === "number" ? duration : parse(duration, what);
  // Also false for NaN.
  if (ms >= 0 && ms <= MAX_DURATION_MS) return roundUp(ms);
  return refuse(duration, what, ms > MAX_DURATION_MS ? "is longer than 100 years" : "is not a length of time");
}

function parse(duration: unknown, what: string): number {
  const match = typeof duration === "string" ? WRITTEN.exec(duration) : null;
  const [, amount = "", unit = ""] = match ?? [];
  if (match === null) return refuse(duration, what, "is not a length of time");
  if (!Object.hasOwn(MS_PER_UNIT, unit)) return refuse(duration, what, `has the unknown unit "${unit}"`);
  return Number(amount) * MS_PER_UNIT[unit as Unit];
}

// What binary fractions add must not count: 0.07 * 100 is 7.000000000000001.
function roundUp(ms: number): number {
  const nearest = Math.round(ms);
  return Math.abs(ms - nearest) < 1e-6 ? nearest : Math.ceil(ms);
}

function refuse(duration: unknown, what: string, why: string): never {
  const shown = typeof duration === "string" ? JSON.stringify(duration.slice(0, 50)) : String(duration).slice(0, 50);
  throw new EverstepError(
    "ARGUMENT_INVALID",
    `${what}: ${shown} ${why}. Use milliseconds or a text such as "250ms", "30s", "5m", "1.5h" or "2 days".`,
    { details: { argument: what } },
  );
}

/** As `toMs`, of a limit, which is longer than 0. Throws ARGUMENT_INVALID. */
export function limitMs(duration: Duration, what: string): number {
  const ms = toMs(duration, what);
  if (ms > 0) return ms;
  throw new EverstepError("ARGUMENT_INVALID", `${what} must be longer than 0.`, { details: { argument: what } });
}
