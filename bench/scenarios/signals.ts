import { round, samplesOf, spreadOf, timed } from "../measure.ts";
import { type Echo, type Scenario, sized } from "../scenario.ts";
import { SHORT_ONES, warmUp } from "../warm-up.ts";

const SAMPLES = 500;

export const signals: Scenario = {
  name: "signals",
  title: "signal to the reply that a step gives, one at a time",
  async run(engine, size) {
    if (engine.openEcho === undefined) return [];
    const first = await engine.openEcho("warm-up");
    await warmUp(SHORT_ONES, (index) => ask(first, index));
    await first.close();
    const echo = await engine.openEcho("echo");
    const samples = await samplesOf(sized(SAMPLES, size), (index) => ask(echo, index));
    await echo.close();
    const { p50, p99 } = spreadOf(samples);
    return [
      { name: "signal to reply p50", value: round(p50), unit: "ms" },
      { name: "signal to reply p99", value: round(p99), unit: "ms" },
    ];
  },
};

async function ask(echo: Echo, index: number): Promise<number> {
  await echo.listening?.();
  return (await timed(() => echo.ask(index))).ms;
}
