import { medianOf, timed } from "../measure.ts";
import { type Figure, type Scenario, type Size, sized } from "../scenario.ts";
import { warmUp } from "../warm-up.ts";

const ONE_BY_ONE = 5_000;
const IN_FLIGHT = 64;
const BATCH = 10_000;

export const starts: Scenario = {
  name: "starts",
  title: "starting runs that nobody executes",
  async run(engine, size) {
    const { startOnly, startBatch } = engine;
    if (startOnly === undefined) return [];
    await warmUp(10, (index) => startOnly(`warm-up-${index}-`, 1_000, IN_FLIGHT));
    const oneByOne = await rateOf(size, sized(ONE_BY_ONE, size), (round, count) =>
      startOnly(`single${round}`, count, IN_FLIGHT),
    );
    const figures: Figure[] = [{ name: `one by one, ${IN_FLIGHT} in flight`, value: oneByOne, unit: "/s" }];
    if (startBatch === undefined) return figures;
    await warmUp(5, (index) => startBatch(`warm-up-batch-${index}-`, 2_000));
    const inBatches = await rateOf(size, sized(BATCH, size), (round, count) => startBatch(`batch${round}`, count));
    return [...figures, { name: "in batches", value: inBatches, unit: "/s" }];
  },
};

async function rateOf(
  { rounds }: Size,
  count: number,
  start: (round: number, count: number) => Promise<void>,
): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { ms } = await timed(() => start(round, count));
    rates.push(count / (ms / 1000));
  }
  return Math.round(medianOf(rates));
}
