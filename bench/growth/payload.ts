// The size of a step's result: alone, and with some runs side by side. The text is random, so that Postgres cannot make
// it small.

import { randomBytes } from "node:crypto";
import { step, workflow } from "everstep";
import { Client } from "everstep/client";
import { migrate, Worker } from "everstep/runtime";
import pg from "pg";
import { round, timed } from "../measure.ts";
import type { GrowthTable } from "./table.ts";

const SIZES = [100, 1_000, 10_000, 100_000, 1_000_000];
const SIDE_BY_SIDE = 8;
/** Steps of a run: few where they are large, so that each row takes about as long. */
const MOST_STEPS = 200;
const FEWEST_STEPS = 10;
const BYTES_PER_RUN = 10_000_000;

const texts = new Map(
  SIZES.map((size) => [
    size,
    randomBytes(Math.ceil(size * 0.75))
      .toString("base64")
      .slice(0, size),
  ]),
);

const carry = workflow("carry", async ({ size, count }: { size: number; count: number }) => {
  let length = 0;
  for (let index = 0; index < count; index++) length += (await step("carry", () => texts.get(size) ?? "")).length;
  return length;
});

export const payloadSize: GrowthTable = {
  name: "payload",
  title: `steps that return a text of so many bytes, in one run and in ${SIDE_BY_SIDE} side by side`,
  by: "bytes",
  async run({ databaseUrl, redisUrl }, tell) {
    const connection = { database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" as const };
    await migrate({ url: databaseUrl });
    const worker = new Worker({ workflows: [carry], ...connection });
    await worker.start();
    const client = new Client(connection);
    const runs = async (many: number, size: number, count: number) => {
      const inputs = Array.from({ length: many }, () => ({ input: { size, count } }));
      const started = await client.startMany(carry, inputs);
      await Promise.all(started.map((run) => run.result()));
    };
    await runs(SIDE_BY_SIDE, SIZES[0] ?? 0, MOST_STEPS);
    for (const size of SIZES) {
      const count = Math.max(FEWEST_STEPS, Math.min(MOST_STEPS, Math.round(BYTES_PER_RUN / size)));
      const walBefore = await walOf(databaseUrl);
      const alone = await timed(() => runs(1, size, count));
      const wal = (await walOf(databaseUrl)) - walBefore;
      const together = await timed(() => runs(SIDE_BY_SIDE, size, count));
      const megabytes = (SIDE_BY_SIDE * count * size) / 1e6;
      tell({
        at: size.toLocaleString("en-US"),
        figures: [
          { name: "per step, alone", value: round(alone.ms / count, 2), unit: "ms" },
          { name: "WAL per step", value: round(wal / count / 1_000, 1), unit: "kB" },
          { name: "side by side", value: round((SIDE_BY_SIDE * count) / (together.ms / 1000), 0), unit: "steps/s" },
          { name: "payload", value: round(megabytes / (together.ms / 1000), 1), unit: "MB/s" },
        ],
      });
    }
    await client.close();
    await worker.stop();
  },
};

async function walOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ bytes: number }>(
    "select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes",
  );
  await client.end();
  return rows[0]?.bytes ?? Number.NaN;
}
