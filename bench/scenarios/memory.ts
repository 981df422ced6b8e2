// A worker's memory over many runs: flat, or something is kept. The client, which keeps what it was told, lives in
// another process. Before each look the heap is collected; a line through the later looks gives the growth per run.

import { Client } from "everstep/client";
import { migrate } from "everstep/runtime";
import { inFlight, round, slopeOf } from "../measure.ts";
import type { OwnScenario } from "../scenario.ts";
import type { Usage } from "../worker-main.ts";
import { startWorkerProcess } from "../worker-process.ts";
import { steps } from "../workflows.ts";

const RUNS = 100_000;
const RUNS_LONG = 1_000_000;
const LOOKS = 20;
const BATCH = 500;
const BATCHES_AT_ONCE = 4;
/** By the first looks code is compiled and pools are full. */
const SETTLED_AFTER = LOOKS / 4;
// A run that stays is more than a kilobyte; what is kept of the latest ones, and let go at once, is some ten bytes of slope.
const MOST_HEAP_BYTES_PER_RUN = 100;

export const memory: OwnScenario = {
  name: "memory",
  title: `a worker's memory over ${RUNS.toLocaleString("en-US")} one-step runs (--long: ${RUNS_LONG.toLocaleString("en-US")})`,
  async run({ databaseUrl, redisUrl }, isLong) {
    const perLook = (isLong ? RUNS_LONG : RUNS) / LOOKS;
    await migrate({ url: databaseUrl });
    const client = new Client({ database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" });
    const worker = startWorkerProcess({ databaseUrl, redisUrl });
    await worker.ready;
    const looks: { readonly runs: number; readonly usage: Usage }[] = [];
    for (let look = 1; look <= LOOKS; look++) {
      await inFlight(perLook / BATCH, BATCHES_AT_ONCE, async () => {
        const runs = await client.startMany(
          steps,
          Array.from({ length: BATCH }, () => ({ input: 1 })),
        );
        await Promise.all(runs.map((run) => run.result()));
      });
      looks.push({ runs: look * perLook, usage: await worker.usage() });
    }
    await Promise.all([worker.stop(), client.close()]);
    const settled = looks.slice(SETTLED_AFTER);
    const slope = (of: (usage: Usage) => number) => slopeOf(settled.map(({ runs, usage }) => [runs, of(usage)]));
    const megabytes = (bytes = Number.NaN) => round(bytes / 2 ** 20, 1);
    return [
      {
        name: "heap growth per run",
        value: round(
          slope(({ heapUsed }) => heapUsed),
          1,
        ),
        unit: "B",
        bar: { atMost: MOST_HEAP_BYTES_PER_RUN },
      },
      {
        name: "resident growth per run",
        value: round(
          slope(({ rss }) => rss),
          1,
        ),
        unit: "B",
      },
      { name: "heap, first look", value: megabytes(looks[0]?.usage.heapUsed), unit: "MiB" },
      { name: "heap, last look", value: megabytes(looks.at(-1)?.usage.heapUsed), unit: "MiB" },
      { name: "resident, last look", value: megabytes(looks.at(-1)?.usage.rss), unit: "MiB" },
    ];
  },
};
