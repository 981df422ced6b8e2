import { round, spreadOf, timed, wait } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";

const SAMPLES = 200;
const WARM_UP = 30;

export const latency: Scenario = {
  name: "latency",
  title: "one-step workflow, start to result seen by the client, one at a time",
  async run(engine, size) {
    const count = WARM_UP + sized(SAMPLES, size);
    const samples: number[] = [];
    for (let index = 0; index < count; index++) {
      // Gaps without a rhythm, so that no poll of the engine is always just right or just wrong.
      await wait((index * 7) % 13);
      const { ms } = await timed(() => engine.runSteps(`latency-${index}`, 1));
      if (index >= WARM_UP) samples.push(ms);
    }
    const { p50, p95, p99 } = spreadOf(samples);
    return [
      { name: "start to result p50", value: round(p50), unit: "ms" },
      { name: "start to result p95", value: round(p95), unit: "ms" },
      { name: "start to result p99", value: round(p99), unit: "ms" },
    ];
  },
};
