import { medianOf, round, timed } from "../measure.ts";
import { type Figure, type Scenario, sized } from "../scenario.ts";
import { warmUp } from "../warm-up.ts";

const WIDTH = 1_000;
const WIDE = 10_000;

export const fanOut: Scenario = {
  name: "fan-out",
  title: "Promise.all over steps that return at once",
  async run(engine, size) {
    await warmUp(20, (index) => engine.runFanOut(`warm-up-${index}`, 200));
    const thousand: number[] = [];
    for (let index = 0; index < size.rounds; index++)
      thousand.push((await timed(() => engine.runFanOut(`thousand-${index}`, WIDTH))).ms);
    const figures: Figure[] = [{ name: "1,000 steps", value: round(medianOf(thousand), 1), unit: "ms" }];
    // A width is part of the question: at another size this part is left out, not made smaller.
    if (engine.unable?.wide !== undefined || sized(WIDE, size) < WIDE) return figures;
    const { ms } = await timed(() => engine.runFanOut("ten-thousand", WIDE));
    return [...figures, { name: "10,000 steps", value: round(ms, 1), unit: "ms" }];
  },
};
