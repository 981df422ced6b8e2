// Parents and children. A pair is written when the child is started, under the lock of its parent's head; it is taken
// away by the end of either, which leaves the errand that follows from it. So no end goes unheard, and none is told twice.

import { type ClosePolicy, type Errand, errandOfEnd, type Kinship, type RunEnd } from "../errands.ts";
import { names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Session } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { runIdOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

const KEEP_ERRANDS = prepared({
  name: "everstep_keep_errands",
  text: `
    insert into everstep.errand (what, body)
    select what, body from unnest(${textColumn(1)}, ${textColumn(2)}, $3::int[]) e(what, body, place)
    where place is not null order by place`,
});

export async function keepErrands(session: Session, errands: readonly Errand[]): Promise<void> {
  if (errands.length === 0) return;
  await session.query(KEEP_ERRANDS, [
    names(errands.map((errand) => errand.do)),
    texts(errands.map((errand) => JSON.stringify(errand))),
    plain(errands.map((_, place) => place)),
  ]);
}

const KEEP_KIN = prepared({
  name: "everstep_keep_kin",
  text: `
    insert into everstep.child (child_run_id, parent_run_id, command, name, policy)
    select child, parent, command, name, policy
    from unnest($1::uuid[], $2::uuid[], $3::int[], ${textColumn(4)}, ${textColumn(5)}) k(child, parent, command, name, policy)
    where child is not null
    on conflict do nothing returning parent_run_id, command`,
});

type KeptRow = { parent_run_id: string; command: number };

/** Answers those that were not kept before: a fork may have been given them when it was made. */
export async function keepKin<Kept extends Kinship>(session: Session, kinships: readonly Kept[]): Promise<Kept[]> {
  if (kinships.length === 0) return [];
  const rows = await session.query<KeptRow>(KEEP_KIN, [
    runIds(kinships.map(({ childRunId }) => childRunId)),
    runIds(kinships.map(({ parent }) => parent.runId)),
    plain(kinships.map(({ parent }) => parent.command)),
    names(kinships.map(({ parent }) => parent.name)),
    names(kinships.map(({ policy }) => policy)),
  ]);
  const kept = new Set(rows.map(({ parent_run_id, command }) => `${runIdOf(parent_run_id)}:${command}`));
  return kinships.filter(({ parent: { runId, command } }) => kept.has(`${runId}:${command}`));
}

/**
 * SQL for a row of `child` whose parent is this run. The key of the table has the parent, too, but not in the first place; as
 * text it is found by the index over parents, and by no other.
 */
export function isChildOf(child: string, parent: string): string {
  return lookup(`${child}.parent_run_id::text`, `${parent}::text`);
}

/** SQL for the row of `child` that a set names. */
export function isPair(child: string, of: string): string {
  return ["child_run_id", "parent_run_id", "command"]
    .map((key) => lookup(`${child}.${key}`, `${of}.${key}`))
    .join(" and ");
}

// Rows are locked in one order, so that the ends of many parents and children at once do not wait for each other in a
// ring. Where both of a pair end together it does not matter which of them is taken as the reason.
const PART_KIN = prepared({
  name: "everstep_part_kin",
  text: `
    with ended as materialized (
      select e.run_id, e.is_final, coalesce(r.first_run_id, r.run_id) as chain_id
      from unnest($1::uuid[], $2::boolean[]) e(run_id, is_final) join everstep.run r on ${lookup("r.run_id", "e.run_id")}),
    parted as materialized (
      select c.*, e.run_id as ended_id, true as is_parent
      from ended e join everstep.child c on ${isChildOf("c", "e.run_id")}
      union all
      select c.*, e.run_id, false
      from ended e join everstep.child c on ${lookup("c.child_run_id", "e.chain_id")} where e.is_final),
    locked as materialized (
      select p.* from parted p join everstep.child c on ${isPair("c", "p")}
      order by p.child_run_id, p.parent_run_id, p.command for update of c)
    delete from everstep.child c using locked l where ${isPair("c", "l")}
    returning c.child_run_id, c.parent_run_id, c.command, c.name, c.policy, l.ended_id, l.is_parent`,
});

interface PartedRow {
  child_run_id: string;
  parent_run_id: string;
  command: number;
  name: string;
  policy: ClosePolicy;
  ended_id: string;
  is_parent: boolean;
}

/** These runs have been closed in this transaction: leaves what is due to their parents and children. */
export async function partKin(session: Session, ends: readonly RunEnd[]): Promise<void> {
  if (ends.length === 0) return;
  const rows = await session.query<PartedRow>(PART_KIN, [
    runIds(ends.map(({ runId }) => runId)),
    plain(ends.map(({ status }) => String(status !== "continuedAsNew"))),
  ]);
  const byRun = new Map(ends.map((end) => [end.runId, end]));
  const errands = rows.flatMap((row) => {
    const end = byRun.get(runIdOf(row.ended_id));
    if (end === undefined) return [];
    const parent = { runId: runIdOf(row.parent_run_id), command: row.command, name: row.name };
    const kinship = { childRunId: runIdOf(row.child_run_id), parent, policy: row.policy };
    return errandOfEnd(kinship, end, row.is_parent) ?? [];
  });
  await keepErrands(session, errands);
}
