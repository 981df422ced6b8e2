// What goes into a commit, and in which order. That it lands, or what becomes of it, is for the contract of stores and the
// simulation.

import { expect, test } from "vitest";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { AppendTurn, WorkerStore } from "../../runtime/store/store.ts";
import { Committer, type Committing } from "../../runtime/worker/committer.ts";
import type { SentTurn } from "../../runtime/worker/outbox.ts";
import { StoreClock } from "../../runtime/worker/store-clock.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { eventually } from "../support/eventually.ts";

/** A committer of commits of four runs, one at a time, whose store accepts everything; `commits` are the runs of each. */
function committerOfFour() {
  const world = systemWorld();
  const commits: string[][] = [];
  const store: WorkerStore = Object.assign(new MemoryStore({ clock: world.clock }), {
    appendTurns: async (turns: readonly AppendTurn[]) => {
      const runIds = turns.map(({ claim }) => claim.runId);
      commits.push(runIds);
      return { at: 0, committed: new Set(runIds) };
    },
  });
  const committer = new Committer({
    store,
    world,
    storeClock: new StoreClock(world.clock),
    workerId: () => "worker",
    concurrency: 1,
    maxRunsPerCommit: 4,
    maxBytesPerCommit: 1_000,
    wake: () => {},
    onAnswer: () => {},
  });
  const submit = (prefix: string, count: number, isNew: boolean) => {
    for (let index = 0; index < count; index++) committer.submit(runNamed(`${prefix}${index}`, isNew));
  };
  return { submit, commits };
}

function runNamed(runId: string, isNew: boolean): Committing {
  const claim = { runId, epoch: 1, claimId: "claim" };
  const turn: AppendTurn = {
    ...{ claim, tag: "tag", base: 1, events: [], at: null, refusals: [], takenMail: 0 },
    ...{ notBefore: null, close: null, effects: null },
  };
  const sent: SentTurn = { turn, events: [], entries: [], bytes: 1 };
  return {
    ...{ runId, isNew, isOurs: true, takeTurn: () => sent, committed: () => {}, mailBeforeClose: () => {} },
    ...{ receive: () => {}, wantMail: () => {}, lost: () => {}, giveBack: () => {}, rejected: () => {} },
  };
}

test("runs that have just begun come before those that were woken", async () => {
  const { submit, commits } = committerOfFour();
  submit("woken", 6, false);
  submit("new", 1, true);
  await eventually("all are committed", () => commits.flat().length === 7);
  expect(commits).toEqual([
    ["new0", "woken0", "woken1", "woken2"],
    ["woken3", "woken4", "woken5"],
  ]);
});

test("half of a commit is for the others, whichever of the two are many", async () => {
  const { submit, commits } = committerOfFour();
  submit("new", 6, true);
  submit("woken", 3, false);
  await eventually("all are committed", () => commits.flat().length === 9);
  expect(commits).toEqual([["new0", "new1", "woken0", "woken1"], ["new2", "new3", "woken2", "new4"], ["new5"]]);
});
