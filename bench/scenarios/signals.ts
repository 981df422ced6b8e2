import { round, spreadOf, timed } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";

const SAMPLES = 200;
const WARM_UP = 30;

export const signals: Scenario = {
  name: "signals",
  title: "signal to the reply that a step gives, one at a time",
  async run(engine, size) {
    if (engine.openEcho === undefined) return [];
    const echo = await engine.openEcho("echo");
    const count = WARM_UP + sized(SAMPLES, size);
    const samples: number[] = [];
    for (let index = 0; index < count; index++) {
      await echo.listening?.();
      const { ms } = await timed(() => echo.ask(index));
      if (index >= WARM_UP) samples.push(ms);
    }
    await echo.close();
    const { p50, p99 } = spreadOf(samples);
    return [
      { name: "signal to reply p50", value: round(p50), unit: "ms" },
      { name: "signal to reply p99", value: round(p99), unit: "ms" },
    ];
  },
};
