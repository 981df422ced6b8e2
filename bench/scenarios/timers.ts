// Many timers due in the same instant, and what the others feel of it: short runs begin at a fixed pace before and
// meanwhile, whether those before them are done or not, so that a stall is not measured once only.

import everstep from "../engines/everstep.ts";
import { round, spreadOf, wait } from "../measure.ts";
import type { Engine, OwnScenario } from "../scenario.ts";
import { SHORT_ONES, warmUp } from "../warm-up.ts";

const TIMERS = 10_000;
/** Until they are due: all are to be parked by then. The first ones take longer. */
const SETTLE_MS = 9_000;
const FIRST_SETTLE_MS = 15_000;
/** Until the code that wakes runs is compiled; each has as many timers as the one that is measured. */
const WARM_UP_WAVES = 3;
const SHORT_RUN_EVERY_MS = 5;
const IDLE_MS = 2_000;
const MOST_LATE_MS = 1_000;
const MOST_SLOWDOWN = 5;

export const timers: OwnScenario = {
  name: "timers",
  title: `${TIMERS} timers due in the same instant, and short runs meanwhile`,
  async run(place) {
    const engine = everstep(place);
    await engine.start();
    try {
      await warmUp(SHORT_ONES, (index) => engine.runSteps(`warm-up-${index}`, 1));
      for (let wave = 0; wave < WARM_UP_WAVES; wave++)
        await (await fallDue(engine, `wave-${wave}`, wave === 0 ? FIRST_SETTLE_MS : SETTLE_MS)).late;
      const idle = spreadOf(await shortRuns(engine, "idle", wait(IDLE_MS)));
      const waking = await fallDue(engine, "sleeper", SETTLE_MS);
      const busy = spreadOf(await shortRuns(engine, "busy", waking.late));
      const late = await waking.late;
      const spread = spreadOf(late);
      return [
        { name: "late p50", value: round(spread.p50, 0), unit: "ms" },
        { name: "late, the last", value: round(spread.max, 0), unit: "ms", bar: { atMost: MOST_LATE_MS } },
        { name: "early", value: late.filter((ms) => ms < 0).length, unit: "", bar: { atMost: 0 } },
        { name: "short run p99, idle", value: round(idle.p99, 1), unit: "ms" },
        { name: "short run p99 meanwhile", value: round(busy.p99, 1), unit: "ms" },
        { name: "slowdown", value: round(busy.p99 / idle.p99, 1), unit: "×", bar: { atMost: MOST_SLOWDOWN } },
      ];
    } finally {
      await engine.stop();
    }
  },
};

/** Resolves in the instant in which the timers are due; their results are waited for since before that. */
async function fallDue(
  engine: Engine,
  prefix: string,
  inMs: number,
): Promise<{ readonly late: Promise<readonly number[]> }> {
  if (engine.startSleepers === undefined) throw new Error("This engine cannot sleep.");
  const dueAt = Date.now() + inMs;
  const sleepers = await engine.startSleepers(prefix, TIMERS, () => dueAt);
  await sleepers.asleep();
  const late = sleepers.woken();
  const spareMs = dueAt - Date.now();
  if (spareMs < 0) throw new Error("The timers were due before all were asleep.");
  await wait(spareMs);
  return { late };
}

/** Starts one-step runs at a fixed pace until `end` resolves; gives how long each took, counted from when it was due. */
async function shortRuns(engine: Engine, prefix: string, end: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  void end.then(() => {
    isOver = true;
  });
  const samples: Promise<number>[] = [];
  const beganAt = performance.now();
  const nextDueAt = () => beganAt + samples.length * SHORT_RUN_EVERY_MS;
  while (!isOver) {
    // All that are due by now: a loop that turns slower than the pace must not thin them out, nor make them wait for more turns.
    for (let dueAt = nextDueAt(); dueAt <= performance.now(); dueAt = nextDueAt()) {
      const startedFor = dueAt;
      samples.push(engine.runSteps(`${prefix}-${samples.length}`, 1).then(() => performance.now() - startedFor));
    }
    await wait(Math.max(0, nextDueAt() - performance.now()));
  }
  return Promise.all(samples);
}
