import { round, timed } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

export const fanOut: Scenario = {
  name: "fan-out",
  title: "Promise.all over steps that return at once",
  async run(engine) {
    await engine.runFanOut("warm-up", 200);
    const thousand: number[] = [];
    for (let index = 0; index < 3; index++)
      thousand.push((await timed(() => engine.runFanOut(`thousand-${index}`, 1_000))).ms);
    thousand.sort((a, b) => a - b);
    const { ms } = await timed(() => engine.runFanOut("ten-thousand", 10_000));
    return [
      { name: "1,000 steps", value: round(thousand[1] ?? Number.NaN, 1), unit: "ms" },
      { name: "10,000 steps", value: round(ms, 1), unit: "ms" },
    ];
  },
};
