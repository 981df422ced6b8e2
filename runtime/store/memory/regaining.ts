// Forks that stand still until they have again what their source held.

import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { type LockGrant, regainedEvent } from "../locks.ts";
import type { RunTable } from "./run-table.ts";
import { STORE_TAG } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";

/** Answers the run, where it may be claimed from now on. */
export function noteRegained(table: RunTable, grant: LockGrant, now: number): StoredRun | undefined {
  const run = table.get(grant.runId);
  if (run === undefined || run.head === null) return undefined;
  table.append(run, [toRecord(regainedEvent(grant))], STORE_TAG, now);
  table.change(run, { awaitedLocks: run.head.awaitedLocks - 1 });
  if (run.head.awaitedLocks > 0) return undefined;
  table.wake(run, now);
  return run;
}
