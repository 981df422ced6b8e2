import { timed } from "../measure.ts";
import type { Scenario } from "../scenario.ts";

const ONE_BY_ONE = 5_000;
const IN_FLIGHT = 64;
const BATCH = 10_000;

export const starts: Scenario = {
  name: "starts",
  title: "starting runs that nobody executes",
  async run(engine) {
    if (engine.startOnly === undefined) return [];
    await engine.startOnly("warm-up", 1_000, IN_FLIGHT);
    const { ms } = await timed(() => engine.startOnly?.("one", ONE_BY_ONE, IN_FLIGHT) ?? Promise.resolve());
    const figures = [
      { name: `one by one, ${IN_FLIGHT} in flight`, value: Math.round(ONE_BY_ONE / (ms / 1000)), unit: "/s" },
    ];
    if (engine.startBatch === undefined) return figures;
    const batch = await timed(() => engine.startBatch?.("batch", BATCH) ?? Promise.resolve());
    return [...figures, { name: "in batches", value: Math.round(BATCH / (batch.ms / 1000)), unit: "/s" }];
  },
};
