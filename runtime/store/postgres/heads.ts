// Heads of several runs, locked in the order in which all transactions lock them.

import { runIds } from "./columns.ts";
import type { Session } from "./connection.ts";
import { runIdOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

export interface LockedHead {
  readonly runId: string;
  readonly chainId: string;
  readonly workflowId: string;
}

const LOCK_HEADS = prepared({
  name: "everstep_lock_heads",
  text: `
    select run_id, coalesce(first_run_id, run_id) as chain_id, workflow_id from everstep.open_run
    where run_id = any($1::uuid[]) order by run_id for no key update`,
});

type Row = { run_id: string; chain_id: string; workflow_id: string };

/** Those of them that are open, by run id. */
export async function lockHeads(session: Session, ids: readonly string[]): Promise<Map<string, LockedHead>> {
  const rows = await session.query<Row>(LOCK_HEADS, [runIds(ids)]);
  return new Map(
    rows.map(({ run_id, chain_id, workflow_id }) => {
      const head = { runId: runIdOf(run_id), chainId: runIdOf(chain_id), workflowId: workflow_id };
      return [head.runId, head];
    }),
  );
}
