import { timed } from "../measure.ts";
import { type Scenario, sized } from "../scenario.ts";

const ONE_BY_ONE = 5_000;
const IN_FLIGHT = 64;
const BATCH = 10_000;

export const starts: Scenario = {
  name: "starts",
  title: "starting runs that nobody executes",
  async run(engine, size) {
    const { startOnly, startBatch } = engine;
    if (startOnly === undefined) return [];
    const count = sized(ONE_BY_ONE, size);
    await startOnly("warm-up", sized(1_000, size), IN_FLIGHT);
    const { ms } = await timed(() => startOnly("one", count, IN_FLIGHT));
    const figures = [
      { name: `one by one, ${IN_FLIGHT} in flight`, value: Math.round(count / (ms / 1000)), unit: "/s" },
    ];
    if (startBatch === undefined) return figures;
    const inBatch = sized(BATCH, size);
    const batch = await timed(() => startBatch("batch", inBatch));
    return [...figures, { name: "in batches", value: Math.round(inBatch / (batch.ms / 1000)), unit: "/s" }];
  },
};
