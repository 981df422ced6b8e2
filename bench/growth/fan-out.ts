// The width of a fan-out: steps side by side in one run.

import everstep from "../engines/everstep.ts";
import { medianOf, round, timed } from "../measure.ts";
import type { GrowthTable } from "./table.ts";

const WIDTHS = [10, 100, 1_000, 10_000];
const ROUNDS = 5;

export const fanOutWidth: GrowthTable = {
  name: "fan-out",
  title: "one run that does so many steps with Promise.all",
  by: "steps",
  async run(place, tell) {
    const engine = everstep(place);
    await engine.start();
    for (let index = 0; index < ROUNDS; index++) await engine.runFanOut(`warm-up-${index}`, 1_000);
    for (const width of WIDTHS) {
      const samples: number[] = [];
      for (let index = 0; index < ROUNDS; index++)
        samples.push((await timed(() => engine.runFanOut(`width-${width}-${index}`, width))).ms);
      const ms = medianOf(samples);
      tell({
        at: width.toLocaleString("en-US"),
        figures: [
          { name: "start to result", value: round(ms, 1), unit: "ms" },
          { name: "per step", value: round((1000 * ms) / width, 1), unit: "µs" },
        ],
      });
    }
    await engine.stop();
  },
};
