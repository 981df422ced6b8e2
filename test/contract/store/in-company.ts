// The same store, with every turn that is appended alone sent beside a turn of another run: a store may have a shorter
// way for a lone turn, and what it promises holds on both.

import { randomUUID } from "node:crypto";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { newId, startRequest, turnOf } from "./stage.ts";

export function inCompany(store: Store): Store {
  // One per call under way: two turns of one run would wait for each other, and one of them be refused.
  const free: ClaimedRun[] = [];
  return {
    ...store,
    async appendTurns(turns) {
      if (turns.length !== 1) return store.appendTurns(turns);
      const run = free.pop() ?? (await ownedRun(store));
      const { at, committed } = await store.appendTurns([turnOf(run), ...turns]);
      if (!committed.has(run.runId)) throw new Error("The neighbour's turn was refused.");
      free.push({ ...run, events: run.events + 1 });
      return { at, committed: new Set([...committed].filter((runId) => runId !== run.runId)) };
    },
  };
}

async function ownedRun(store: Store): Promise<ClaimedRun> {
  const queue = newId("company");
  await store.startRuns([startRequest({ queue })]);
  const { claimed } = await store.claimRuns({
    workerId: randomUUID(),
    claimId: randomUUID(),
    queues: [queue],
    limit: 1,
    suspects: "exclude",
  });
  const [run] = claimed;
  if (run === undefined) throw new Error("The neighbour could not be claimed.");
  return run;
}
