// Who won a race is a fact, written down once: a process that only knows the history names the same winners.

import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Stage, setStage } from "../support/stage.ts";
import { race } from "./workers/race.ts";

const RUNS = 20;
const [FAST_MS, SLOW_MS] = [5, 60];

async function committedSteps({ ask }: Stage, name: string): Promise<number> {
  const [row] = await ask<{ count: number }>("select count(*)::int as count from everstep.event where name = $1", [
    name,
  ]);
  return row?.count ?? 0;
}

test.each([
  ["as soon as the winners are known", async () => true],
  [
    "when the losers are recorded, too",
    async (stage: Stage) => (await committedSteps(stage, "a")) + (await committedSteps(stage, "b")) === 2 * RUNS,
  ],
])("killed %s, twenty races replayed elsewhere have the same twenty winners", async (_, mayKill) => {
  const stage = await setStage();
  const { client, witness, worker } = stage;
  const inputs = Array.from({ length: RUNS }, () =>
    Math.random() < 0.5 ? { aMs: FAST_MS, bMs: SLOW_MS } : { aMs: SLOW_MS, bMs: FAST_MS },
  );
  const first = await worker("race.ts");
  const runs = await client.startMany(
    race,
    inputs.map((input) => ({ input })),
  );
  await eventually("every race has a winner, and nothing more happens", () => witness.all("winner").length === RUNS);
  await eventually("it is time to kill", () => mayKill(stage));
  expect(await first.kill()).toEqual({ code: null, signal: "SIGKILL" });
  const winners = new Map(witness.all("winner").map(({ run, value }) => [run, value]));

  witness.open("replay");
  const second = await worker("race.ts");
  const results = await Promise.all(runs.map((run) => run.result()));
  expect(results).toEqual(runs.map(({ workflowId }) => winners.get(workflowId)));
  expect(new Set(results)).toEqual(new Set(["a", "b"]));

  const seenAgain = witness.all("winner").filter(({ pid }) => pid === second.pid);
  expect(new Map(seenAgain.map(({ run, value }) => [run, value]))).toEqual(winners);
  expect(await second.stop()).toEqual({ code: 0, signal: null });
});
