// The data: 20,000 domestic flights in the USA from January to March 2001 (package vega-datasets), and the arithmetic on
// them. Everything counted is a whole number, so that the parts of any division add up to exactly the whole.

import { readFileSync } from "node:fs";

export interface Flight {
  readonly date: string;
  /** Minutes; negative when early. */
  readonly delay: number;
  readonly origin: string;
  readonly destination: string;
}

export interface Tally {
  readonly flights: number;
  readonly minutes: number;
  /** More than a quarter of an hour. */
  readonly late: number;
  readonly worst: number;
}

/** By airport of origin. */
export type Tallies = Readonly<Record<string, Tally>>;

let loaded: readonly Flight[] | undefined;

export function loadFlights(): readonly Flight[] {
  loaded ??= JSON.parse(
    readFileSync(new URL("../data/flights-20k.json", import.meta.resolve("vega-datasets")), "utf8"),
  ) as Flight[];
  return loaded;
}

export function tally(flights: readonly Flight[]): Tallies {
  return flights.reduce<Record<string, Tally>>((tallies, { origin, delay }) => {
    const one = { flights: 1, minutes: delay, late: delay > 15 ? 1 : 0, worst: delay };
    tallies[origin] = add(tallies[origin], one);
    return tallies;
  }, {});
}

export function merge(parts: readonly Tallies[]): Tallies {
  const merged: Record<string, Tally> = {};
  for (const part of parts) {
    for (const [airport, one] of Object.entries(part)) merged[airport] = add(merged[airport], one);
  }
  return merged;
}

function add(sum: Tally | undefined, one: Tally): Tally {
  if (sum === undefined) return one;
  return {
    flights: sum.flights + one.flights,
    minutes: sum.minutes + one.minutes,
    late: sum.late + one.late,
    worst: Math.max(sum.worst, one.worst),
  };
}
