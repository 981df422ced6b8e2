// One start with nothing to decide: what a client with little to do sends. The same rows as the statement for many, without
// its sets. Inserts nothing at all when the workflow id or the run id is taken: then the start is decided like any other.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { laneOf } from "../lanes.ts";
import type { StartRequest } from "../starts.ts";
import { ms, storableName } from "./columns.ts";
import { queueOf, versionOf } from "./lanes.ts";
import { uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

export const START_LONE = prepared({
  name: "everstep_start_lone",
  text: `
    with head as (
      insert into everstep.open_run (run_id, workflow_id, queue, events, wake_at, deadline_at,
        epoch, claim_id, worker_id, crash_count)
      select $1::uuid, $2::text, $4::text, 1, at + $5::float8 * interval '1 ms', at + $6::float8 * interval '1 ms',
        case when $7::uuid is null then 0 else 1 end, $7::uuid, $8::uuid, case when $7::uuid is null then 0 else 1 end
      from (select date_trunc('milliseconds', clock_timestamp()) as at offset 0) clock
      where not exists (select from everstep.run where run_id = $1::uuid)
      on conflict do nothing
      returning wake_at - $5::float8 * interval '1 ms' as at, deadline_at),
    facts as (
      insert into everstep.run (run_id, workflow_id, workflow, queue, version, status, started_at, deadline_at)
      select $1::uuid, $2::text, $3::text, ${queueOf("$4::text")}, ${versionOf("$4::text")}, ${STATUS_CODES.running}, at, deadline_at
      from head),
    first_event as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
      select $1::uuid, 1, $1::uuid, at, $9::smallint, null, $10::text, $11::text, $12::text from head)
    select $1::uuid as run_id, ${ms("at")} as at, ${ms("deadline_at")} as deadline_at from head`,
});

/** The values of `START_LONE` where `requests` is a single one that brings no mail; undefined otherwise. */
export function loneStartValues(requests: readonly StartRequest[]): unknown[] | undefined {
  const [request] = requests;
  if (requests.length !== 1 || request === undefined || request.mail !== null) return undefined;
  const { runId, workflowId, workflow, queue, version = null, delayMs, timeoutMs, claim, started } = request;
  return [
    uuidOf(runId),
    storableName(workflowId),
    storableName(workflow),
    storableName(laneOf(queue, { workflow, version })),
    delayMs,
    timeoutMs,
    claim?.claimId ?? null,
    claim?.workerId ?? null,
    started.type,
    storableName(started.name),
    started.payload,
    started.data,
  ];
}
