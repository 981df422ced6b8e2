// Appends: many runs, one statement, no session state. The rows of the runs are locked in run_id order, the right to
// write is compared under the lock, the heads move and the events go in; a stale run is left out alone. Measured: without
// this lock, or with a weaker one, a new owner can load a history that a late event then joins.

import { invariant } from "../../../sdk/protocol/errors.ts";
import type { EventRecord } from "../../../sdk/protocol/event-record.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { Transaction } from "../store.ts";
import type { AppendAnswer, AppendTurn, ResolvedTurn } from "../turns.ts";
import { ms, PlainColumn, plain, runIds, TextColumn, textColumn, texts, timeOf } from "./columns.ts";
import { Abort, type Pool, type Row, type Session } from "./connection.ts";
import { loneTurn } from "./lone-turn.ts";
import { lookup } from "./lookup.ts";
import { changeData, changeValues } from "./run-data.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared, type Statement } from "./statements.ts";
import { runInside } from "./transaction.ts";

/** Nearly always: said shortly, and nothing to take apart. */
const ALL = "all";

// `clock` is read once and after the last lock is held: no event is older than one that this run, seen under its lock,
// already has, and a timer judged due by it is due for every later reader.
function appendStatement(name: string, more = ""): Statement {
  return prepared({
    name,
    text: `
      with turn as (
        select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::int[], $6::int[], $7::int[], $8::float8[], $9::smallint[],
          $10::float8[])
          with ordinality t(run_id, epoch, claim_id, tag, base, added, taken_mail, not_before, close, seen_at, place)),
      locked as materialized (
        select run_id, epoch, claim_id, events, newest_mail, paused is not null as is_paused from everstep.open_run
        where run_id = any($1::uuid[]) order by run_id for no key update),
      clock as materialized (
        select date_trunc('milliseconds', clock_timestamp()) as at from (select count(*) as locks from locked) l where locks >= 0),
      ok as materialized (
        select t.*, coalesce(${timeOf("t.seen_at")}, c.at) as at
        from clock c cross join locked l join turn t on t.run_id = l.run_id
        where l.epoch = t.epoch and l.claim_id = t.claim_id and l.events = t.base
          and (t.not_before is null or extract(epoch from c.at) * 1000 >= t.not_before)
          and (t.close is null or case t.close when ${STATUS_CODES.continuedAsNew}
            then not l.is_paused else l.newest_mail <= t.taken_mail end)),
      moved as (
        update everstep.open_run o set events = ok.base + ok.added, taken_mail = greatest(o.taken_mail, ok.taken_mail), crash_count = 0
        from ok where ${lookup("o.run_id", "ok.run_id")} and ok.close is null),
      gone as (delete from everstep.open_run o using ok where ${lookup("o.run_id", "ok.run_id")} and ok.close is not null),
      ended as (
        update everstep.run r set status = ok.close, closed_at = ok.at
        from ok where ${lookup("r.run_id", "ok.run_id")} and ok.close is not null),
      written as (
        insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
        select ok.run_id, ok.base + e.step, ok.tag, ok.at, e.type, e.command, e.name, e.payload, e.data
        from unnest($11::int[], $12::int[], $13::smallint[], $14::int[], ${textColumn(15)}, ${textColumn(16)}, ${textColumn(17)})
          e(place, step, type, command, name, payload, data)
        join ok on ok.place = e.place)${more}
      select ${ms("c.at")} as at, (
        select case when count(*) = cardinality($1::uuid[]) then '${ALL}' else string_agg(place::text, ',') end from ok) as places
      from clock c`,
  });
}

const REFUSE = `,
      refused as (
        update everstep.mail m set refusal = r.refusal
        from (
          select ok.run_id, u.mail, u.refusal
          from unnest($18::int[], $19::int[], ${textColumn(20)}) u(place, mail, refusal) join ok on ok.place = u.place
          offset 0) r
        where ${lookup("m.run_id", "r.run_id")} and ${lookup("m.mail", "r.mail")})`;

export const APPEND = appendStatement("everstep_append");

// Apart, so that the statement of nearly every append knows nothing of mailboxes, attributes and memos.
const APPEND_AND_REFUSE = appendStatement("everstep_append_and_refuse", REFUSE);
const APPEND_WITH_DATA = appendStatement("everstep_append_with_data", changeData(18));
const APPEND_ALL = appendStatement("everstep_append_all", REFUSE + changeData(21));

interface AppendedRow extends Row {
  at: number;
  /** Places of the committed turns, from 1, joined by commas; `ALL`, or null when there are none. */
  places: string | null;
}

/** By itself, or as a part of a transaction: one statement all the same. */
export async function appendTurns(on: Pool | Session, turns: readonly AppendTurn[]): Promise<AppendAnswer> {
  const data = changeValues(turns);
  const { statement, values } = (data === null ? loneTurn(turns) : undefined) ?? turnsOf(turns, data);
  return answerOf(turns, await on.query<AppendedRow>(statement, values));
}

function turnsOf(
  turns: readonly AppendTurn[],
  data: readonly unknown[] | null,
): { statement: Statement; values: unknown[] } {
  const values = [...appendValues(turns), ...(refusalValues(turns) ?? []), ...(data ?? [])];
  const isRefusing = turns.some(({ refusals }) => refusals.length > 0);
  if (data === null) return { statement: isRefusing ? APPEND_AND_REFUSE : APPEND, values };
  return { statement: isRefusing ? APPEND_ALL : APPEND_WITH_DATA, values };
}

/** Null when nothing is refused: then nothing of it is sent. */
function refusalValues(turns: readonly AppendTurn[]): unknown[] | null {
  const refusals = turns.flatMap((turn, index) => turn.refusals.map((refused) => ({ place: index + 1, ...refused })));
  if (refusals.length === 0) return null;
  return [
    plain(refusals.map(({ place }) => place)),
    plain(refusals.map(({ mail }) => mail)),
    texts(refusals.map(({ refusal }) => JSON.stringify(refusal))),
  ];
}

/** In one pass: this is the hottest loop of a worker. */
export function appendValues(turns: readonly AppendTurn[]): unknown[] {
  let events = 0;
  for (const turn of turns) events += turn.events.length;
  // Both in the order of the statement's parameters.
  const heads = {
    runId: new PlainColumn(turns.length),
    epoch: new PlainColumn(turns.length),
    claimId: new PlainColumn(turns.length),
    tag: new PlainColumn(turns.length),
    base: new PlainColumn(turns.length),
    added: new PlainColumn(turns.length),
    takenMail: new PlainColumn(turns.length),
    notBefore: new PlainColumn(turns.length),
    close: new PlainColumn(turns.length),
    seenAt: new PlainColumn(turns.length),
  };
  const rows = {
    place: new PlainColumn(events),
    step: new PlainColumn(events),
    type: new PlainColumn(events),
    command: new PlainColumn(events),
    name: new TextColumn(events),
    payload: new TextColumn(events),
    data: new TextColumn(events),
  };
  const runs = new Set<string>();
  for (let index = 0; index < turns.length; index++) {
    const turn = turns[index] as AppendTurn;
    const { claim, events, refusals } = turn;
    runs.add(claim.runId);
    const brings = events.length + refusals.length;
    if (brings === 0) invariant(false, "a turn brings an event or refuses an update", { runId: claim.runId });
    heads.runId.add(uuidOf(claim.runId));
    heads.epoch.add(claim.epoch);
    heads.claimId.add(claim.claimId);
    heads.tag.add(turn.tag);
    heads.base.add(turn.base);
    heads.added.add(events.length);
    heads.takenMail.add(turn.takenMail);
    heads.notBefore.add(turn.notBefore);
    heads.close.add(turn.close === null ? null : STATUS_CODES[turn.close]);
    heads.seenAt.add(turn.at);
    for (let step = 0; step < events.length; step++) {
      const event = events[step] as EventRecord;
      rows.place.add(index + 1);
      rows.step.add(step + 1);
      rows.type.add(event.type);
      rows.command.add(event.command);
      rows.name.addName(event.name);
      rows.payload.add(event.payload);
      rows.data.add(event.data);
    }
  }
  invariant(runs.size === turns.length, "a call brings one turn per run", { turns: turns.length });
  return [...Object.values(heads), ...Object.values(rows)].map((column) => column.parameter);
}

function answerOf(turns: readonly AppendTurn[], rows: readonly AppendedRow[]): AppendAnswer {
  const places = rows[0]?.places ?? null;
  const committed = new Set<string>();
  if (places === ALL) for (const { claim } of turns) committed.add(claim.runId);
  else
    for (const place of places?.split(",") ?? []) {
      const turn = turns[Number(place) - 1];
      if (turn !== undefined) committed.add(turn.claim.runId);
    }
  return { at: rows[0]?.at ?? 0, committed };
}

const RESOLVE = prepared({
  name: "everstep_resolve",
  text: `
    select t.run_id, e.run_id is not null as landed, ${ms("e.at")} as at,
      coalesce(o.epoch = t.epoch and o.claim_id = t.claim_id, false) as owned,
      coalesce(o.events, (select max(seq) from everstep.event n where n.run_id = t.run_id), 0) as events,
      coalesce(o.newest_mail, (select max(mail) from everstep.mail m where m.run_id = t.run_id), 0) as newest_mail,
      ${ms("clock_timestamp()")} as now
    from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::int[]) with ordinality t(run_id, epoch, claim_id, tag, base, place)
    left join everstep.open_run o on ${lookup("o.run_id", "t.run_id")}
    left join everstep.event e on ${lookup("e.run_id", "t.run_id")} and e.seq = t.base + 1 and e.tag = t.tag
    order by t.place`,
});

interface ResolvedRow {
  run_id: string;
  landed: boolean;
  at: number | null;
  owned: boolean;
  events: number;
  newest_mail: number;
  now: number;
}

export async function resolveTurns(pool: Pool, turns: readonly AppendTurn[]): Promise<ResolvedTurn[]> {
  const rows = await pool.query<ResolvedRow>(RESOLVE, [
    runIds(turns.map(({ claim }) => claim.runId)),
    plain(turns.map(({ claim }) => claim.epoch)),
    plain(turns.map(({ claim }) => claim.claimId)),
    plain(turns.map(({ tag }) => tag)),
    plain(turns.map(({ base }) => base)),
  ]);
  return rows.map((row) => ({
    runId: runIdOf(row.run_id),
    landed: row.landed,
    at: row.at,
    owned: row.owned,
    events: row.events,
    newestMail: row.newest_mail,
    now: row.now,
  }));
}

// A message in the write-ahead log and nothing else: its commit waits for the disk and for synchronous standbys like
// any other, hence for everything written before it, and no table grows by it.
const CONFIRM = prepared({
  name: "everstep_confirm",
  text: "select pg_logical_emit_message(true, 'everstep', '') is not null as is_written",
});

export async function confirm(pool: Pool): Promise<void> {
  await pool.query(CONFIRM, []);
}

/**
 * What `work` wrote and the turn commit together or not at all. What `work` throws comes out unchanged; only the store's
 * own statements, the commit among them, are judged as the store's errors.
 */
export async function appendInTransaction(
  pool: Pool,
  work: (tx: Transaction) => Promise<AppendTurn>,
): Promise<{ committed: boolean; at: number }> {
  try {
    return await pool.transactionOnce(async (session) => {
      const turn = await runInside(session, work);
      const { at, committed } = await appendTurns(session, [turn]);
      if (committed.size === 0) throw new Abort(new TurnRefused(at));
      return { committed: true, at };
    });
  } catch (error) {
    if (error instanceof TurnRefused) return { committed: false, at: error.at };
    throw error;
  }
}

class TurnRefused extends Error {
  override readonly name = "TurnRefused";
  readonly at: number;

  constructor(at: number) {
    super("The turn was refused.");
    this.at = at;
  }
}
