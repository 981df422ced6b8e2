import { round, timed } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

const WORKFLOWS = 2_000;
const WARM_UP = 1_000;
const STEPS = 5;
const ROUNDS = 3;

export const throughput: Scenario = {
  name: "throughput",
  title: `${WORKFLOWS} workflows of ${STEPS} sequential steps, first start to last result seen`,
  async run(engine) {
    await engine.runMany("warm", WARM_UP, STEPS);
    const rates: number[] = [];
    for (let index = 0; index < ROUNDS; index++) {
      const { ms } = await timed(() => engine.runMany(`round${index}`, WORKFLOWS, STEPS));
      rates.push((WORKFLOWS * STEPS) / (ms / 1000));
    }
    rates.sort((a, b) => a - b);
    return [{ name: "steps", value: round(rates[Math.floor(ROUNDS / 2)] ?? Number.NaN, 0), unit: "/s" }];
  },
};
