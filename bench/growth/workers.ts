// Worker processes side by side, beside the one of the client. More of them than cores share what cores there are.

import { Client } from "everstep/client";
import { migrate } from "everstep/runtime";
import { medianOf, round, timed } from "../measure.ts";
import { startWorkerProcess, type WorkerProcess } from "../worker-process.ts";
import { steps } from "../workflows.ts";
import type { GrowthTable } from "./table.ts";

const MOST_WORKERS = 4;
const RUNS = 4_000;
const STEPS = 5;
const ROUNDS = 3;

export const workers: GrowthTable = {
  name: "workers",
  title: `${RUNS.toLocaleString("en-US")} runs of ${STEPS} steps, by so many worker processes`,
  by: "worker processes",
  async run({ databaseUrl, redisUrl }, tell) {
    await migrate({ url: databaseUrl });
    const client = new Client({ database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" });
    const runAll = async () => {
      const inputs = Array.from({ length: RUNS }, () => ({ input: STEPS }));
      const runs = await client.startMany(steps, inputs);
      await Promise.all(runs.map((run) => run.result()));
    };
    const processes: WorkerProcess[] = [];
    for (let count = 1; count <= MOST_WORKERS; count++) {
      const added = startWorkerProcess({ databaseUrl, redisUrl });
      await added.ready;
      processes.push(added);
      await runAll();
      const before = await Promise.all(processes.map((each) => each.usage()));
      const client0 = process.cpuUsage();
      const rates: number[] = [];
      for (let index = 0; index < ROUNDS; index++) rates.push((RUNS * STEPS) / ((await timed(runAll)).ms / 1000));
      const { user, system } = process.cpuUsage(client0);
      const after = await Promise.all(processes.map((each) => each.usage()));
      const workersMs = after.reduce((sum, { cpuMs }, index) => sum + cpuMs - (before[index]?.cpuMs ?? 0), 0);
      const perStep = (cpuMs: number) => round((cpuMs * 1000) / (ROUNDS * RUNS * STEPS), 1);
      tell({
        at: String(count),
        figures: [
          { name: "rate", value: round(medianOf(rates), 0), unit: "steps/s" },
          { name: "CPU of the workers per step", value: perStep(workersMs), unit: "µs" },
          { name: "CPU of the client per step", value: perStep((user + system) / 1000), unit: "µs" },
        ],
      });
    }
    await Promise.all(processes.map((each) => each.stop()));
    await client.close();
  },
};
