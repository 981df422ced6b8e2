// What goes into a commit, and in which order. That it lands, or what becomes of it, is for the contract of stores and the
// simulation.

import { expect, test } from "vitest";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { WorkerStore } from "../../runtime/store/store.ts";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { Committer } from "../../runtime/worker/committer.ts";
import type { Committing } from "../../runtime/worker/committing.ts";
import type { SentTurn } from "../../runtime/worker/outbox.ts";
import { StoreClock } from "../../runtime/worker/store-clock.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { eventually } from "../support/eventually.ts";

/** A committer of commits of four runs, whose store accepts everything once it is let to; `commits` are the runs of each. */
function committerOfFour({ woken = 4 } = {}) {
  const world = systemWorld();
  const commits: string[][] = [];
  let answerAll = () => {};
  const answer = new Promise<void>((resolve) => {
    answerAll = resolve;
  });
  const store: WorkerStore = Object.assign(new MemoryStore({ clock: world.clock }), {
    appendTurns: async (turns: readonly AppendTurn[]) => {
      const runIds = turns.map(({ claim }) => claim.runId);
      commits.push(runIds);
      await answer;
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
    wokenRunsPerCommit: () => woken,
    maxBytesPerCommit: 1_000,
    wake: () => {},
    onAnswer: () => {},
  });
  const submit = (prefix: string, count: number, isNew: boolean) => {
    for (let index = 0; index < count; index++) committer.submit(runNamed(`${prefix}${index}`, isNew));
  };
  return { submit, commits, answerAll };
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

test("runs that have just begun wait for commits of their own only", async () => {
  const { submit, commits, answerAll } = committerOfFour();
  submit("woken", 6, false);
  await eventually("a commit of woken runs is under way", () => commits.length === 1);
  submit("new", 1, true);
  await eventually("the new run is committed beside it", () => commits.length === 2);
  submit("next", 2, true);
  expect(commits).toEqual([["woken0", "woken1", "woken2", "woken3"], ["new0"]]);
  answerAll();
  await eventually("all are committed", () => commits.flat().length === 9);
  expect(commits.slice(2).sort()).toEqual([
    ["next0", "next1"],
    ["woken4", "woken5"],
  ]);
});

test("woken runs go by smaller portions where they are told to, those that have just begun do not", async () => {
  const { submit, commits, answerAll } = committerOfFour({ woken: 2 });
  answerAll();
  submit("new", 6, true);
  submit("woken", 3, false);
  await eventually("all are committed", () => commits.flat().length === 9);
  const [begun, woken] = ["new", "woken"].map((name) => commits.filter(([first]) => first?.startsWith(name)));
  expect(begun).toEqual([
    ["new0", "new1", "new2", "new3"],
    ["new4", "new5"],
  ]);
  expect(woken).toEqual([["woken0", "woken1"], ["woken2"]]);
});
