import { gapOf, round, samplesOf, spreadOf, timed, wait } from "../measure.ts";
import { type Engine, type Scenario, sized } from "../scenario.ts";
import { SHORT_ONES, warmUp } from "../warm-up.ts";

const SAMPLES = 500;

export const latency: Scenario = {
  name: "latency",
  title: "one-step workflow, start to result seen by the client, one at a time",
  async run(engine, size) {
    await warmUp(SHORT_ONES, (index) => engine.runSteps(`warm-up-${index}`, 1));
    const count = sized(SAMPLES, size);
    const paused = await samplesOf(count, async (index) => {
      await wait(gapOf(index));
      return msOf(engine, `paused-${index}`);
    });
    const inTurn = await samplesOf(count, (index) => msOf(engine, `in-turn-${index}`));
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

async function msOf(engine: Engine, id: string): Promise<number> {
  return (await timed(() => engine.runSteps(id, 1))).ms;
}
