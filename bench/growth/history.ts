// The length of a history: a step at its end, its replay in memory, and bringing it back from the database: a query of
// a closed run, which nobody has in memory.

import { defineQuery, step, workflow } from "everstep";
import { Client } from "everstep/client";
import { migrate, Worker } from "everstep/runtime";
import { medianOf, round, timed } from "../measure.ts";
import { measureReplay } from "../scenarios/replay.ts";
import type { GrowthTable } from "./table.ts";

const LENGTHS = [100, 1_000, 10_000];
const QUERIES = 5;
const TEXT = "x".repeat(80);

const total = defineQuery<number>("total");

const asked = workflow("asked", async (count: number) => {
  let sum = 0;
  total.handle(() => sum);
  for (let index = 0; index < count; index++) {
    sum += (await step("step", () => ({ value: index, text: TEXT }))).value;
  }
});

export const historyLength: GrowthTable = {
  name: "history",
  title: "one run of so many sequential steps, nothing else running",
  by: "steps",
  async run({ databaseUrl, redisUrl }, tell) {
    const connection = { database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" as const };
    await migrate({ url: databaseUrl });
    const worker = new Worker({ workflows: [asked], ...connection });
    await worker.start();
    const client = new Client(connection);
    await (await client.start(asked, { id: "warm-up", input: 500 })).result();
    for (const length of LENGTHS) {
      const run = await client.start(asked, { id: `length-${length}`, input: length });
      const { ms } = await timed(() => run.result());
      const queries: number[] = [];
      for (let index = 0; index < QUERIES; index++) queries.push((await timed(() => run.query(total))).ms);
      const [replay] = await measureReplay(length);
      tell({
        at: length.toLocaleString("en-US"),
        figures: [
          { name: "per step", value: round(ms / length, 3), unit: "ms" },
          { name: "replay in memory", value: round((1000 * length) / (replay?.value ?? Number.NaN), 2), unit: "ms" },
          { name: "per event", value: round(1e6 / (replay?.value ?? Number.NaN), 2), unit: "µs" },
          { name: "query of the closed run, with load and replay", value: round(medianOf(queries), 1), unit: "ms" },
        ],
      });
    }
    await client.close();
    await worker.stop();
  },
};
