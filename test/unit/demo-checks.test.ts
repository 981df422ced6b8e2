// The demo's verdict must be able to be "no": told a story with one thing wrong, it names that thing.

import type { RunHandle, ShownEvent } from "everstep/client";
import type pg from "pg";
import { expect, test } from "vitest";
import { checkEverything } from "../../examples/demo/checks.ts";
import { loadFlights, tally } from "../../examples/demo/flights.ts";

const airports = Object.entries(tally(loadFlights()))
  .map(([airport, counted]) => ({ airport, ...counted }))
  .sort((one, other) => (one.airport < other.airport ? -1 : 1));

const completed = (seq: number, name: string, result: unknown): ShownEvent => ({
  ...{ type: "StepCompleted", seq, at: 1_000 * seq, command: seq, name },
  ...{ result: JSON.stringify(result), attempt: 1, inputHash: null },
});

const story = () => ({
  history: [
    completed(1, "count a batch", { batch: 0, pid: 11 }),
    completed(2, "count a batch", { batch: 1, pid: 22 }),
    completed(3, "publish", 220),
  ],
  executions: [
    { batch: 0, startedAt: 500 },
    { batch: 1, startedAt: 900 }, // begun by the killed worker, never recorded
    { batch: 1, startedAt: 1_500 },
  ],
  table: airports.map((row) => ({ ...row })),
});

type Telling = ReturnType<typeof story>;

async function claimsFoundFalse({ history, executions, table }: Telling): Promise<string[]> {
  const run = {
    async *history() {
      yield* history;
    },
  } as unknown as RunHandle<unknown>;
  const database = {
    query: async (text: string) => ({ rows: text.includes("from executions") ? executions : table }),
  } as unknown as pg.Client;
  const checks = await checkEverything({ run, database, batches: 2, killedPid: 11, otherPid: 22 });
  return checks.filter(({ isTrue }) => !isTrue).map(({ claim }) => claim);
}

test("of a story in which all is well, every claim is true", async () => {
  expect(await claimsFoundFalse(story())).toEqual([]);
});

test.each<[string, string, (telling: Telling) => void]>([
  [
    "an event that is missing",
    "The history has no gaps",
    ({ history }) => void history.splice(2, 1, completed(4, "publish", 1)),
  ],
  [
    "a batch recorded twice",
    "Each batch was recorded once",
    ({ history }) => void history.push(completed(4, "count a batch", { batch: 1, pid: 22 })),
  ],
  [
    "a batch recorded in another's place",
    "Each batch was recorded once",
    ({ history }) => void history.splice(1, 1, completed(2, "count a batch", { batch: 0, pid: 22 })),
  ],
  [
    "results of the killed worker that are gone",
    "What the killed worker had recorded was kept",
    ({ history }) => void history.splice(0, 1, completed(1, "count a batch", { batch: 0, pid: 22 })),
  ],
  ["a second publication", "It was published once", ({ history }) => void history.push(completed(4, "publish", 220))],
  [
    "a batch that ran again after its record",
    "No batch ran again once it was recorded",
    ({ executions }) => void executions.push({ batch: 0, startedAt: 1_001 }),
  ],
  [
    "a row inserted twice",
    "The table equals one computed straight from the data",
    ({ table }) => void table.push({ ...(table.at(-1) as (typeof table)[number]) }),
  ],
  [
    "a minute too many",
    "The table equals one computed straight from the data",
    ({ table }) => void Object.assign(table[0] ?? {}, { minutes: -1 }),
  ],
])("%s is found", async (_, claim, spoil) => {
  const telling = story();
  spoil(telling);
  expect(await claimsFoundFalse(telling)).toContain(claim);
});
