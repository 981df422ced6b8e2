import { gapOf, round, spreadOf, timed, wait } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";
import { SHORT_ONES, warmUp } from "../warm-up.ts";

const SAMPLES = 500;
/** An engine that answers once a second is known well enough by fewer samples. */
const LONGEST_MS = 20_000;
const FEWEST = 20;

export const latency: Scenario = {
  name: "latency",
  title: "one-step workflow, start to result seen by the client, one at a time",
  async run(engine, size) {
    await warmUp(SHORT_ONES, (index) => engine.runSteps(`warm-up-${index}`, 1));
    const count = sized(SAMPLES, size);
    const paused = await samplesOf(count, async (index) => {
      await wait(gapOf(index));
      return timed(() => engine.runSteps(`paused-${index}`, 1));
    });
    const inTurn = await samplesOf(count, (index) => timed(() => engine.runSteps(`in-turn-${index}`, 1)));
    const [afterPauses, inRow] = [spreadOf(paused), spreadOf(inTurn)];
    return [
      { name: "start to result p50", value: round(afterPauses.p50), unit: "ms" },
      { name: "start to result p95", value: round(afterPauses.p95), unit: "ms" },
      { name: "start to result p99", value: round(afterPauses.p99), unit: "ms" },
      { name: "one right after the other p50", value: round(inRow.p50), unit: "ms" },
      { name: "one right after the other p99", value: round(inRow.p99), unit: "ms" },
    ];
  },
};

async function samplesOf(count: number, take: (index: number) => Promise<{ readonly ms: number }>): Promise<number[]> {
  const samples: number[] = [];
  const beganAt = performance.now();
  for (let index = 0; index < count; index++) {
    if (performance.now() - beganAt > LONGEST_MS && index >= Math.min(count, FEWEST)) break;
    samples.push((await take(index)).ms);
  }
  return samples;
}
