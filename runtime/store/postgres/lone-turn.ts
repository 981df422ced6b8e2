// One event of one run: what a worker with little to do appends. The same decision as `APPEND`, without sets: the fence is
// the WHERE of the update that moves the head, or of the delete that ends it. Postgres judges it under the row's lock, and
// once more on the newest version of the row when it had to wait for that lock; RETURNING reads the clock after that.
// Measured: 1.2 times a bare insert where the statement for many takes 1.6 times.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { AppendTurn } from "../store.ts";
import { ms, storableName } from "./columns.ts";
import type { Statement } from "./connection.ts";
import { uuidOf } from "./run-id.ts";

const NOW = "date_trunc('milliseconds', clock_timestamp())";

const IS_OURS = `
  run_id = $1::uuid and epoch = $2::bigint and claim_id = $3::uuid and events = $5::int
  and ($7::float8 is null or extract(epoch from ${NOW}) * 1000 >= $7::float8)`;

const INSERT = `
  insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
  select $1::uuid, $5::int + 1, $4::uuid, at, $8::smallint, $9::int, $10::text, $11::text, $12::text from head`;

const ANSWER = `
  select ${ms(`coalesce(head.at, ${NOW})`)} as at, case when head.at is not null then '1' end as places
  from (select) answer left join head on true`;

export const APPEND_LONE: Statement = {
  name: "everstep_append_lone",
  text: `
    with head as (
      update everstep.open_run set events = $5::int + 1, taken_mail = $6::int, crash_count = 0
      where ${IS_OURS} returning ${NOW} as at),
    written as (${INSERT})
    ${ANSWER}`,
};

export const CLOSE_LONE: Statement = {
  name: "everstep_close_lone",
  text: `
    with head as (
      delete from everstep.open_run where ${IS_OURS} and newest_mail <= $6::int returning ${NOW} as at),
    ended as (
      update everstep.run set status = $13::smallint, closed_at = head.at from head where run_id = $1::uuid),
    written as (${INSERT})
    ${ANSWER}`,
};

/** The statement and its values where `turns` is one event of one run; undefined otherwise. */
export function loneTurn(turns: readonly AppendTurn[]): { statement: Statement; values: unknown[] } | undefined {
  const [turn] = turns;
  const [event] = turn?.events ?? [];
  if (turns.length !== 1 || turn?.events.length !== 1 || event === undefined) return undefined;
  // A run that continues as new leaves mail behind, which this statement does not allow.
  if (turn.refusals.length > 0 || turn.effects !== null) return undefined;
  const { claim, tag, base, takenMail, notBefore, close } = turn;
  const head = [uuidOf(claim.runId), claim.epoch, claim.claimId, tag, base, takenMail, notBefore];
  const values = [...head, event.type, event.command, storableName(event.name), event.payload, event.data];
  return close === null
    ? { statement: APPEND_LONE, values }
    : { statement: CLOSE_LONE, values: [...values, STATUS_CODES[close]] };
}
