import { round, spreadOf, timed } from "../measure.ts";
import { type Figure, type Scenario, sized } from "../scenario.ts";
import { warmUp } from "../warm-up.ts";

const STEPS = 1_000;
const LONG = 10_000;

export const sequential: Scenario = {
  name: "sequential",
  title: "one workflow of sequential steps, nothing else running",
  async run(engine, size) {
    await warmUp(20, (index) => engine.stepTimes(`warm-up-${index}`, 200));
    const times = await engine.stepTimes("measured", sized(STEPS, size));
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
    const { p50, p99 } = spreadOf(gaps);
    const figures: Figure[] = [
      { name: "step p50", value: round(p50, 3), unit: "ms" },
      { name: "step p99", value: round(p99, 3), unit: "ms" },
    ];
    // A length is part of the question: at another size this part is left out, not made smaller.
    if (engine.unable?.long !== undefined || sized(LONG, size) < LONG) return figures;
    const { ms } = await timed(() => engine.runSteps("long", LONG));
    return [...figures, { name: `history of ${LONG} steps`, value: Math.round(LONG / (ms / 1000)), unit: "steps/s" }];
  },
};
