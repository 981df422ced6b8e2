import { gapOf, round, spreadOf, timed, wait } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";

const SAMPLES = 200;
const WARM_UP = 30;
/** An engine that answers once a second is known well enough by fewer samples. */
const LONGEST_MS = 20_000;
const FEWEST = 20;

export const latency: Scenario = {
  name: "latency",
  title: "one-step workflow, start to result seen by the client, one at a time",
  async run(engine, size) {
    const count = sized(SAMPLES, size);
    const samples: number[] = [];
    const beganAt = performance.now();
    const isLate = (partOfTime: number) => performance.now() - beganAt > partOfTime * LONGEST_MS;
    let warmUp = 0;
    for (let index = 0; samples.length < count; index++) {
      const isWarmUp = warmUp < WARM_UP && !isLate(0.2);
      if (!isWarmUp && isLate(1) && samples.length >= Math.min(count, FEWEST)) break;
      await wait(gapOf(index));
      const { ms } = await timed(() => engine.runSteps(`latency-${index}`, 1));
      if (isWarmUp) warmUp++;
      else samples.push(ms);
    }
    const { p50, p95, p99 } = spreadOf(samples);
    const inTurn: number[] = [];
    for (let index = 0; index < count && !isLate(2); index++)
      inTurn.push((await timed(() => engine.runSteps(`in-turn-${index}`, 1))).ms);
    return [
      { name: "start to result p50", value: round(p50), unit: "ms" },
      { name: "start to result p95", value: round(p95), unit: "ms" },
      { name: "start to result p99", value: round(p99), unit: "ms" },
      { name: "one right after the other p50", value: round(spreadOf(inTurn).p50), unit: "ms" },
    ];
  },
};
