// A turn of one run, of one event or two: what a worker with little to do appends. The same decision as `APPEND`, without
// sets: the fence is the WHERE of the update that moves the head, or of the delete that ends it. Postgres judges it under the
// row's lock, and once more on the newest version of the row when it had to wait for that lock; RETURNING reads the clock after
// that. Measured: 1.2 times a bare insert where the statement for many takes 1.6 times.

import { invariant } from "../../../sdk/protocol/errors.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { AppendTurn } from "../turns.ts";
import { ms, storableName, timeOf } from "./columns.ts";
import { uuidOf } from "./run-id.ts";
import { prepared, type Statement } from "./statements.ts";

const NOW = "date_trunc('milliseconds', clock_timestamp())";

const IS_OURS = `
  run_id = $1::uuid and epoch = $2::bigint and claim_id = $3::uuid and events = $5::int
  and ($7::float8 is null or extract(epoch from ${NOW}) * 1000 >= $7::float8)`;

/** When the events happened; `head.at` is when they are committed. */
const AT = `coalesce(${timeOf("$8::float8")}, head.at)`;

const ANSWER = `
  select ${ms(`coalesce(head.at, ${NOW})`)} as at, case when head.at is not null then '1' end as places
  from (select) answer left join head on true`;

/** The first parameter of each event; the status of an end comes after the last. */
const firstOf = (event: number): number => 9 + event * 5;

function written(events: number): string {
  const rows = Array.from({ length: events }, (_, event) => {
    const [type, command, name, payload, data] = [0, 1, 2, 3, 4].map((offset) => `$${firstOf(event) + offset}`);
    return `(${event + 1}, ${type}::smallint, ${command}::int, ${name}::text, ${payload}::text, ${data}::text)`;
  });
  return `
    insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
    select $1::uuid, $5::int + e.step, $4::uuid, ${AT}, e.type, e.command, e.name, e.payload, e.data
    from head cross join (values ${rows.join(", ")}) e(step, type, command, name, payload, data)`;
}

function append(name: string, events: number): Statement {
  return prepared({
    name,
    text: `
      with head as (
        update everstep.open_run set events = $5::int + ${events}, taken_mail = $6::int, crash_count = 0
        where ${IS_OURS} returning ${NOW} as at),
      written as (${written(events)})
      ${ANSWER}`,
  });
}

function close(name: string, events: number): Statement {
  return prepared({
    name,
    text: `
      with head as (
        delete from everstep.open_run where ${IS_OURS} and newest_mail <= $6::int returning ${NOW} as at),
      ended as (
        update everstep.run set status = $${firstOf(events)}::smallint, closed_at = ${AT} from head where run_id = $1::uuid),
      written as (${written(events)})
      ${ANSWER}`,
  });
}

export const APPEND_LONE = append("everstep_append_lone", 1);
export const APPEND_PAIR = append("everstep_append_pair", 2);
export const CLOSE_LONE = close("everstep_close_lone", 1);
export const CLOSE_PAIR = close("everstep_close_pair", 2);

const APPENDS = [APPEND_LONE, APPEND_PAIR];
const CLOSES = [CLOSE_LONE, CLOSE_PAIR];

/** The statement and its values where `turns` is one run's, with an event or two; undefined otherwise. */
export function loneTurn(turns: readonly AppendTurn[]): { statement: Statement; values: unknown[] } | undefined {
  const [turn] = turns;
  if (turns.length !== 1 || turn === undefined || turn.refusals.length > 0 || turn.effects !== null) return undefined;
  const { claim, tag, base, takenMail, notBefore, at, close, events } = turn;
  // Such a run leaves mail behind, which these statements do not allow. It comes with its successor.
  invariant(close !== "continuedAsNew", "a run continues as new with effects", { runId: claim.runId });
  const statement = (close === null ? APPENDS : CLOSES)[events.length - 1];
  if (statement === undefined) return undefined;
  const values: unknown[] = [uuidOf(claim.runId), claim.epoch, claim.claimId, tag, base, takenMail, notBefore, at];
  for (const { type, command, name, payload, data } of events) {
    values.push(type, command, storableName(name), payload, data);
  }
  if (close !== null) values.push(STATUS_CODES[close]);
  return { statement, values };
}
