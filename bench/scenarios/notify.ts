// What wake-ups by NOTIFY take from throughput: rounds with and without, in turn, in one process. Without, hints still
// reach whoever listens in this process; only the statement that tells other processes is left out.

import { built } from "../built.ts";
import everstep from "../engines/everstep.ts";
import { medianOf, round, timed } from "../measure.ts";
import type { OwnScenario } from "../scenario.ts";

const { Notifier } = await built<typeof import("../../runtime/wake/postgres/notifier.ts")>(
  "runtime/wake/postgres/notifier.ts",
);

const ROUNDS = 9;
const RUNS = 1_500;
const STEPS = 5;
const LEAST_PERCENT = 95;

export const notify: OwnScenario = {
  name: "notify",
  title: "throughput with wake-ups by NOTIFY, beside the same without",
  async run({ databaseUrl }) {
    const engine = everstep({ databaseUrl, redisUrl: undefined });
    const real = Notifier.prototype.notify;
    let sent = 0;
    const counted: typeof real = async function (this: InstanceType<typeof Notifier>, topics) {
      sent++;
      await real.call(this, topics);
    };
    await engine.start();
    const rates = { with: [] as number[], without: [] as number[] };
    try {
      await engine.runMany("warm-up", RUNS, STEPS);
      for (let index = 0; index < ROUNDS; index++) {
        for (const which of index % 2 === 0 ? (["with", "without"] as const) : (["without", "with"] as const)) {
          Notifier.prototype.notify = which === "with" ? counted : async () => {};
          const { ms } = await timed(() => engine.runMany(`${which}-${index}`, RUNS, STEPS));
          rates[which].push((RUNS * STEPS) / (ms / 1000));
        }
      }
    } finally {
      Notifier.prototype.notify = real;
      await engine.stop();
    }
    const [on, off] = [medianOf(rates.with), medianOf(rates.without)];
    return [
      { name: "with NOTIFY", value: round(on, 0), unit: "steps/s" },
      { name: "without", value: round(off, 0), unit: "steps/s" },
      { name: "with, of without", value: round((100 * on) / off, 1), unit: "%", bar: { atLeast: LEAST_PERCENT } },
      { name: "NOTIFY statements per 1,000 runs", value: round((1_000 * sent) / (ROUNDS * RUNS), 1), unit: "" },
    ];
  },
};
