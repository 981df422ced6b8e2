// A run belongs to one worker at a time: a living one loses nothing to its neighbour, and what a frozen one says after
// its time is not heard.

import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Stage, setStage } from "../support/stage.ts";
import { short, slowBeside, stubborn } from "./workers/ownership.ts";

const DONE = { code: 0, signal: null };

interface Written {
  readonly runs: unknown[];
  readonly events: unknown[];
}

/** Every fact the database keeps of runs. */
async function everything({ ask }: Stage): Promise<Written> {
  return {
    runs: await ask("select * from everstep.run order by run_id"),
    events: await ask("select * from everstep.event order by run_id, seq"),
  };
}

test("a step beside a shorter sleep runs once, and a second worker that starts meanwhile steals nothing", async () => {
  const stage = await setStage();
  const { client, witness, worker, ask } = stage;
  const first = await worker("ownership.ts");
  const runs = await client.startMany(slowBeside, [{}, {}, {}]);
  await eventually("the steps are under way", () => witness.all("slow began").length === 3);
  const second = await worker("ownership.ts");

  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(["slow", "slow", "slow"]);
  const seen = [...witness.all("slow began"), ...witness.all("slow ended")];
  expect(seen).toHaveLength(6);
  expect(new Set(seen.map(({ pid }) => pid))).toEqual(new Set([first.pid]));
  const recorded = await ask("select run_id from everstep.event where name = 'slow'");
  expect(recorded).toHaveLength(3);
  expect(await second.stats()).toMatchObject({ claimed: 0 });
  expect(await Promise.all([first.stop(), second.stop()])).toEqual([DONE, DONE]);
});

test.each([
  ["through Redis", undefined],
  ["through Postgres alone", null],
])(
  "with leases %s, a worker frozen past its lease writes nothing, and works on under a new name",
  async (_, redisUrl) => {
    const stage = await setStage(redisUrl === undefined ? {} : { redisUrl });
    const { client, witness, worker, ask } = stage;
    const frozen = await worker("ownership.ts");
    const before = await frozen.stats();
    const runs = await client.startMany(short, Array(10).fill({}));
    await eventually("the frozen worker's steps are under way", () => witness.all("first").length === 10);
    const held = await client.start(stubborn);
    await eventually("a step holds the worker still", () => witness.all("stubborn").length === 1);
    frozen.signal("SIGSTOP");

    const other = await worker("ownership.ts");
    await eventually("the other worker has taken the held run over", () => witness.all("stubborn").length === 2);
    const owned = await ask<{ run_id: string; epoch: string }>("select run_id, epoch from everstep.open_run");
    expect(owned.map(({ epoch }) => Number(epoch))).toEqual(owned.map(() => 2));
    witness.open(`failing-${frozen.pid}`);
    witness.open("stubborn");
    witness.open("short");
    expect(await held.result()).toBe(other.pid);
    const expected = { pid: other.pid, second: other.pid };
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map(() => expected));
    const written = await everything(stage);

    frozen.signal("SIGCONT");
    const after = await eventually("the thawed worker has a lease again", async () => {
      const stats = await frozen.stats();
      return stats.isTrusted && stats.workerId !== before.workerId ? stats : null;
    });
    // It finished the step it was frozen in and tried to say so.
    await eventually("the frozen step ended", () =>
      witness.all("stubborn ended").some(({ pid }) => pid === frozen.pid),
    );
    // The step it was frozen in failed, and it sent that: one statement, which changed nothing.
    expect(after).toMatchObject({ liveRuns: 0, stepsUnderWay: 0, commits: 1, events: 0 });
    expect(frozen.lines.map(({ message }) => message)).toContain("lease lost, all runs of this worker are dropped");
    expect(await everything(stage)).toEqual(written);

    expect(await other.stop()).toEqual(DONE);
    const later = await client.startMany(short, Array(3).fill({}));
    const own = { pid: frozen.pid, second: frozen.pid };
    expect(await Promise.all(later.map((run) => run.result()))).toEqual([own, own, own]);
    expect(await frozen.stop()).toEqual(DONE);
    const { events } = await everything(stage);
    expect(events.slice(0, written.events.length)).toEqual(written.events);
  },
);
