import { medianOf, round, timed } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";
import { warmUp } from "../warm-up.ts";

const WORKFLOWS = 2_000;
const STEPS = 5;

export const throughput: Scenario = {
  name: "throughput",
  title: `workflows of ${STEPS} sequential steps, first start to last result seen`,
  async run(engine, size) {
    const workflows = sized(WORKFLOWS, size);
    await warmUp(8, (index) => engine.runMany(`warm-up-${index}-`, 500, STEPS));
    const rates: number[] = [];
    for (let index = 0; index < size.rounds; index++) {
      const { ms } = await timed(() => engine.runMany(`round${index}`, workflows, STEPS));
      rates.push((workflows * STEPS) / (ms / 1000));
    }
    return [{ name: "steps", value: round(medianOf(rates), 0), unit: "/s" }];
  },
};
