import { round, spreadOf } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";

const SLEEPERS = 10_000;
const SETTLE_MS = 15_000;
const SPREAD_MS = 10_000;
const AT_ONCE = 5_000;

export const sleepers: Scenario = {
  name: "sleepers",
  title: `durable sleeps spread over ${SPREAD_MS / 1000} s, then half as many due in the same instant`,
  async run(engine, size) {
    if (engine.startSleepers === undefined) return [];
    const count = sized(SLEEPERS, size);
    const from = Date.now() + SETTLE_MS;
    const spread = await engine.startSleepers("spread", count, (index) => from + (index / count) * SPREAD_MS);
    const bytes = await spread.asleep();
    const late = spreadOf(await spread.woken());
    const together = sized(AT_ONCE, size);
    const at = Date.now() + SETTLE_MS / 2;
    const atOnce = await engine.startSleepers("at-once", together, () => at);
    const lateAtOnce = spreadOf(await atOnce.woken());
    return [
      { name: "memory per sleeper", value: Math.round(bytes), unit: "B" },
      { name: "late p50", value: round(late.p50, 1), unit: "ms" },
      { name: "late p99", value: round(late.p99, 1), unit: "ms" },
      { name: `${together} at once, late p99`, value: round(lateAtOnce.p99, 1), unit: "ms" },
      { name: `${together} at once, last`, value: round(lateAtOnce.max, 1), unit: "ms" },
    ];
  },
};
