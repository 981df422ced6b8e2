// What a run costs, held by counts that are the same on every machine: statements, round trips, rows, WAL, allocations.
// A change that makes runs dearer fails here, and one that makes them cheaper should take the ceiling down with it.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PrivatePostgres } from "../support/private-postgres.ts";
import { costsOfRuns, type Load, type RunCost } from "../support/run-cost.ts";
import { startCountingPostgres } from "../support/write-counts.ts";

/** A count per run: what it was when the ceiling was last set, and the ceiling. */
type Ceiling = readonly [found: number, ceiling: number];

interface Case {
  readonly load: Load;
  /** Exact: which rows are written is no matter of chance. */
  readonly rows: { readonly inserted: number; readonly updated: number; readonly deleted: number };
  readonly ceilings: Readonly<Partial<Record<keyof RunCost, Ceiling>>>;
  /** The least share of updates that touch no index: found, floor. Their pages have room for versions not yet tidied. */
  readonly hotShare: readonly [found: number, floor: number];
}

// Alone, counts repeat within a few percent. Under load they depend on how commits and batches happen to meet: there
// statements have the room of several times what was found, which is still next to nothing. Allocations differ between
// releases of Node.
const CASES: Readonly<Record<string, Case>> = {
  "one step, alone": {
    load: { runs: 100, steps: 1, atOnce: false },
    rows: { inserted: 5, updated: 1, deleted: 1 },
    ceilings: {
      statements: [2.8, 3.5],
      roundTrips: [2.6, 3.5],
      transactions: [3.6, 4.5],
      walBytes: [1_770, 1_900],
      allocatedBytes: [80_000, 115_000],
    },
    hotShare: [1, 0.9],
  },
  "ten steps, alone": {
    load: { runs: 50, steps: 10, atOnce: false },
    rows: { inserted: 14, updated: 10, deleted: 1 },
    ceilings: {
      statements: [12, 13],
      roundTrips: [12, 13],
      transactions: [13, 14],
      walBytes: [5_850, 6_200],
      allocatedBytes: [343_000, 430_000],
    },
    hotShare: [1, 0.9],
  },
  "one step, under load": {
    load: { runs: 1_000, steps: 1, atOnce: true },
    rows: { inserted: 5, updated: 1, deleted: 1 },
    ceilings: {
      statements: [0.005, 0.02],
      roundTrips: [0.004, 0.02],
      transactions: [0.007, 0.025],
      walBytes: [1_800, 2_050],
      allocatedBytes: [28_400, 38_000],
    },
    hotShare: [0.96, 0.85],
  },
  "ten steps, under load": {
    load: { runs: 1_000, steps: 10, atOnce: true },
    rows: { inserted: 14, updated: 10, deleted: 1 },
    ceilings: {
      statements: [0.014, 0.04],
      roundTrips: [0.013, 0.04],
      transactions: [0.016, 0.05],
      walBytes: [6_120, 6_500],
      allocatedBytes: [81_000, 105_000],
    },
    hotShare: [0.99, 0.9],
  },
};

let server: PrivatePostgres;
const costs = new Map<string, RunCost>();

beforeAll(async () => {
  server = await startCountingPostgres();
  const names = Object.keys(CASES);
  const loads = Object.values(CASES).map(({ load }) => load);
  for (const [index, cost] of (await costsOfRuns(server, loads, ["everstep-source"])).entries())
    costs.set(names[index] ?? "", cost);
}, 180_000);

afterAll(() => server.remove());

describe.each(Object.entries(CASES))("%s", (name, { rows, ceilings, hotShare }) => {
  const cost = (): RunCost => {
    const found = costs.get(name);
    if (found === undefined) throw new Error(`Nothing was counted for ${name}.`);
    return found;
  };

  test("writes the rows of its start, its events and its head, and no others", () => {
    const { inserted, updated, deleted } = cost();
    expect({ inserted, updated, deleted }).toEqual(rows);
  });

  test("most updates touch no index", () => {
    expect(cost().hotUpdated / cost().updated).toBeGreaterThanOrEqual(hotShare[1]);
  });

  test.each(Object.entries(ceilings))("%s", (count, [, ceiling]) => {
    const found = cost()[count as keyof RunCost];
    expect(found, `${count} per run`).toBeLessThanOrEqual(ceiling);
    // A count of nothing would pass under any ceiling.
    expect(found, `${count} per run`).toBeGreaterThan(ceiling / 10);
  });
});
