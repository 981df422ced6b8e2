// A run that goes on as a new one: the next run is made in the transaction that has just closed the run before it, whose
// mail moves over. Whoever sends to the closed run meanwhile waits for its lock, and then looks for the next run.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { KINDS_OF_ONE_RUN } from "../errands.ts";
import { CANCEL_MAIL_ID } from "../mail-id.ts";
import type { AppendTurn, Successor } from "../turns.ts";
import { nextVersion } from "../versions.ts";
import { names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Session } from "./connection.ts";
import { laneOf } from "./lanes.ts";
import { lookup } from "./lookup.ts";
import { startData, startDataValues } from "./run-data.ts";
import { prepared, type Statement } from "./statements.ts";
import { readVersions } from "./versions.ts";

// The next run takes its place in the order of events: it starts at the very time at which the one before it ended. A
// cancel request that was obeyed must not stand in the way of one to the next run: it gives up its mail id. A run that was moved
// and has not heard of it yet goes on where it was moved to. With each next run goes what is to be done with the box of the one
// before it: `mails` move over, in their order, and `cancel` is the request to be renamed unless it does.
function succeedStatement(name: string, more = ""): Statement {
  return prepared({
    name,
    text: `
    with request as (
      select * from unnest($2::uuid[], $3::uuid[], $4::int[], $5::float8[], $6::smallint[],
        ${[7, 8, 9, 10, 11].map(textColumn).join(", ")}, $14::int[], $15::float8[], $16::boolean[], ${textColumn(17)})
        q(run_id, previous, taken_mail, timeout_ms, type, workflow, queue, name, payload, data, attempt, delay_ms, stays, exactly)
      where run_id is not null),
    clock as (select timestamptz 'epoch' + $1::float8 * interval '1 ms' as at),
    continuing as materialized (
      select q.*, case when q.stays then r.version else q.exactly end as version,
        r.workflow_id, coalesce(r.first_run_id, r.run_id) as chain_id, c.at,
        case when q.attempt is null then c.at + q.timeout_ms * interval '1 ms' else r.deadline_at end as deadline_at
      from request q join everstep.run r on ${lookup("r.run_id", "q.previous")} cross join clock c),
    next as materialized (
      select q.*, array(
          select m.mail from everstep.mail m
          where m.run_id = q.previous and m.kind not in (${KINDS_OF_ONE_RUN.map((kind) => `'${kind}'`).join(", ")})
            and (m.mail > q.taken_mail or m.refusal is null and (m.run_id, m.mail) in (
              select previous, mail from unnest($12::uuid[], $13::int[]) p(previous, mail)))
          order by m.mail) as mails, (
          select m.mail from everstep.mail m
          where coalesce(m.chain_id, m.run_id) = q.chain_id and m.mail_id = '${CANCEL_MAIL_ID}' and m.run_id = q.previous) as cancel
      from continuing q),
    moved as (
      update everstep.mail m set run_id = v.run_id, mail = v.new_mail, chain_id = v.chain_id
      from (
        select previous, run_id, chain_id, unnest(mails) as mail, generate_subscripts(mails, 1) as new_mail from next) v
      where ${lookup("m.run_id", "v.previous")} and ${lookup("m.mail", "v.mail")}),
    obeyed as (
      update everstep.mail m set mail_id = 'cancel:' || m.run_id
      from next n where ${lookup("m.run_id", "n.previous")} and ${lookup("m.mail", "n.cancel")} and n.cancel <> all(n.mails)),
    head as (
      insert into everstep.open_run
        (run_id, first_run_id, workflow_id, queue, events, newest_mail, wake_at, deadline_at)
      select run_id, chain_id, workflow_id, ${laneOf("queue", "workflow", "version")}, 1,
        cardinality(mails),
        at + coalesce(delay_ms, 0) * interval '1 ms', deadline_at
      from next returning run_id),
    facts as (
      insert into everstep.run (run_id, first_run_id, workflow_id, workflow, queue, version, status, started_at, deadline_at, attempt)
      select run_id, chain_id, workflow_id, workflow, queue, version, ${STATUS_CODES.running}, at, deadline_at, attempt
      from next)${more}
    insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
    select run_id, 1, gen_random_uuid(), at, type, null, name, payload,
      case when version is null then data else left(data, -1) || ',"version":' || to_json(version)::text || '}' end
    from next`,
  });
}

const SUCCEED = succeedStatement("everstep_succeed");
// When some of the runs go on with attributes or a memo.
const SUCCEED_WITH_DATA = succeedStatement("everstep_succeed_with_data", startData(18));

/** The turns are committed in this transaction, at time `at`, and each closes its run as continued. */
export async function startSuccessors(session: Session, turns: readonly AppendTurn[], at: number): Promise<void> {
  const pairs = turns.flatMap((turn): [AppendTurn, Successor][] => {
    const successor = turn.effects?.successor ?? null;
    return successor === null ? [] : [[turn, successor]];
  });
  if (pairs.length === 0) return;
  const successors = pairs.map(([, successor]) => successor);
  const passedOn = pairs.flatMap(([{ claim }, { passedOn: mails }]) => mails.map((mail) => ({ ...claim, mail })));
  const versions = await readVersions(session, successors.flatMap(askedFor));
  const data = startDataValues(successors);
  await session.query(data === null ? SUCCEED : SUCCEED_WITH_DATA, [
    at,
    runIds(successors.map(({ runId }) => runId)),
    runIds(pairs.map(([{ claim }]) => claim.runId)),
    plain(pairs.map(([{ takenMail }]) => takenMail)),
    plain(successors.map(({ timeoutMs }) => timeoutMs)),
    plain(successors.map(({ started }) => started.type)),
    names(successors.map(({ workflow }) => workflow)),
    names(successors.map(({ queue }) => queue)),
    names(successors.map(({ started }) => started.name)),
    texts(successors.map(({ started }) => started.payload)),
    texts(successors.map(({ started }) => started.data)),
    runIds(passedOn.map(({ runId }) => runId)),
    plain(passedOn.map(({ mail }) => mail)),
    plain(successors.map(({ retry }) => retry?.attempt ?? null)),
    plain(successors.map(({ retry }) => retry?.delayMs ?? null)),
    plain(successors.map(({ version }) => String(version === undefined))),
    names(
      successors.map(({ workflow, version }) => {
        return version === undefined ? null : nextVersion(version, versions.get(workflow));
      }),
    ),
    ...(data ?? []),
  ]);
}

function askedFor({ workflow, version }: Successor): string[] {
  return version !== undefined && "ask" in version ? [workflow] : [];
}
