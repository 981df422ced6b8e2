// Runs open at once: each place starts its next run when the one before has given its result.

import everstep from "../engines/everstep.ts";
import { inFlight, round, spreadOf, timed } from "../measure.ts";
import { watchServerCpu } from "../server-cpu.ts";
import type { GrowthTable } from "./table.ts";

const OPEN = [10, 100, 1_000, 10_000];
const STEPS = 5;
const FEWEST = 2_000;
const PER_PLACE = 2;
const MOST = 10_000;

export const openRuns: GrowthTable = {
  name: "open-runs",
  title: `runs of ${STEPS} steps, so many open at once, kept full`,
  by: "runs open",
  async run(place, tell) {
    const engine = everstep(place);
    await engine.start();
    await engine.runMany("warm-up", FEWEST, STEPS);
    for (const open of OPEN) {
      const count = Math.max(PER_PLACE * open, Math.min(MOST, Math.max(FEWEST, 20 * open)));
      const samples: number[] = [];
      const server = await watchServerCpu(place.databaseUrl);
      const before = process.cpuUsage();
      const { ms } = await timed(() =>
        inFlight(count, open, async (index) => {
          samples.push((await timed(() => engine.runSteps(`open-${open}-${index}`, STEPS))).ms);
        }),
      );
      const { user, system } = process.cpuUsage(before);
      const postgres = await server?.since();
      const { p50, p99 } = spreadOf(samples);
      const perStep = (cpuMs: number) => round((cpuMs * 1000) / (count * STEPS), 1);
      tell({
        at: open.toLocaleString("en-US"),
        figures: [
          { name: "rate", value: round((count * STEPS) / (ms / 1000), 0), unit: "steps/s" },
          { name: "start to result p50", value: round(p50, 1), unit: "ms" },
          { name: "p99", value: round(p99, 1), unit: "ms" },
          { name: "CPU of Node per step", value: perStep((user + system) / 1000), unit: "µs" },
          ...(postgres === undefined
            ? []
            : [
                {
                  name: "CPU of Postgres per step",
                  value: perStep(postgres.backendsMs + postgres.othersMs),
                  unit: "µs",
                },
              ]),
        ],
      });
    }
    await engine.stop();
  },
};
