// What passes from a run to the fork that is put in its place: it is its parent's child from then on, and the parent of the
// children that it shares. A pair changes under the lock of the head of either of the two, so all heads that it concerns are locked
// with that of the source: whoever of them ends is heard of by the one, or by the other.

import type { ForkRequest } from "../forks.ts";
import { plain } from "./columns.ts";
import type { Session } from "./connection.ts";
import { lockHeads } from "./heads.ts";
import { isChildOf, isPair } from "./kin.ts";
import { lookup } from "./lookup.ts";
import { latestOfChain, latestOfLine } from "./mail.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

/**
 * SQL for `kept`, the pairs in which the source is the parent of a child that the fork keeps: `k` are these children. One that is
 * not known to be started may have been reset since.
 */
const KEPT = `
    children as materialized (
      select * from everstep.child c where ${isChildOf("c", "$1::uuid")}),
    kept as (
      select c.child_run_id, c.parent_run_id, c.command
      from children c join unnest($2::int[], $3::uuid[]) k(command, run_id)
        on k.command = c.command and (k.run_id is null or c.child_run_id = (
          select coalesce(r.first_run_id, r.run_id) from everstep.run r where r.run_id = ${latestOfLine("k.run_id")})))`;

/** SQL for `own`, the pairs in which the source is the child. */
const OWN = `
    own as materialized (
      select c.*
      from everstep.run r join everstep.child c on ${lookup("c.child_run_id", "coalesce(r.first_run_id, r.run_id)")}
      where r.run_id = $1::uuid)`;

const CONCERNED = prepared({
  name: "everstep_concerned_by_fork",
  text: `
    with ${KEPT}, ${OWN}
    select $1::uuid as run_id union select parent_run_id from own union select ${latestOfChain("child_run_id")} from kept`,
});

const PASS_ON = prepared({
  name: "everstep_pass_on_kin",
  text: `
    with ${KEPT}, ${OWN},
    passed as (
      select child_run_id, parent_run_id, command, child_run_id as to_child, $4::uuid as to_parent from kept
      union all
      select child_run_id, parent_run_id, command, $4::uuid, parent_run_id from own)
    update everstep.child c set child_run_id = p.to_child, parent_run_id = p.to_parent
    from passed p where ${isPair("c", "p")}`,
});

/**
 * In the transaction that is going to close the source and to start the fork. Nothing passes from a source that is closed. False:
 * others have moved meanwhile, and all of it is to be done over in another transaction.
 */
export async function passOnKin(session: Session, { sourceId, runId, children = [] }: ForkRequest): Promise<boolean> {
  const kept = [
    plain(children.map(({ command }) => command)),
    plain(children.map((child) => (child.isStarted ? null : uuidOf(child.runId)))),
  ];
  const concerned = async () => {
    const rows = await session.query<{ run_id: string }>(CONCERNED, [uuidOf(sourceId), ...kept]);
    return rows.map(({ run_id }) => runIdOf(run_id));
  };
  const asked = await concerned();
  const locked = await lockHeads(session, asked);
  if (!locked.has(sourceId)) return true;
  // A child was started, went on as a new run, or is waited for by another one since: nothing is decided without its lock.
  if ((await concerned()).some((id) => !asked.includes(id))) return false;
  await session.query(PASS_ON, [uuidOf(sourceId), ...kept, uuidOf(runId)]);
  return true;
}
