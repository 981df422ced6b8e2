// Children that a fork asks for again: those that are there, or have been there, are not started once more. With the heads
// of the fork and of the child locked, the child's end is either before, and told here, or after, and then sees who waits.

import {
  adoptionMail,
  answerMail,
  type FollowedChild,
  followedAnswers,
  followedKinship,
  forgottenChild,
  type StartErrand,
} from "../errands.ts";
import type { MailRequest } from "../mail.ts";
import { plain } from "./columns.ts";
import type { Session } from "./connection.ts";
import type { LockedHead } from "./heads.ts";
import { keepKin } from "./kin.ts";
import { lookup } from "./lookup.ts";
import { latestOfLine } from "./mail.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";
import { closedStatusOf } from "./status.ts";

// The closing event, or the last before it.
const FIND = prepared({
  name: "everstep_find_followed",
  text: `
    select q.place, r.run_id, coalesce(r.first_run_id, r.run_id) as chain_id, r.status,
      exists (select from everstep.open_run o where o.run_id = r.run_id offset 0) as is_open,
      e.seq, e.type, e.name, e.payload, e.data
    from unnest($1::uuid[], $2::int[]) q(run_id, place)
    join everstep.run r on ${lookup("r.run_id", latestOfLine("q.run_id"))}
    cross join lateral (
      select seq, type, name, payload, data from everstep.event e where e.run_id = r.run_id order by seq desc limit 1) e`,
});

interface FoundRow {
  place: number;
  run_id: string;
  chain_id: string;
  status: number;
  is_open: boolean;
  seq: number;
  type: number;
  name: string | null;
  payload: string | null;
  data: string | null;
}

/** The runs that are at present in the place of children that are asked for again. */
export async function findFollowed(
  session: Session,
  errands: readonly StartErrand[],
): Promise<Map<StartErrand, FollowedChild>> {
  const asked = errands.filter(({ again }) => again !== undefined);
  if (asked.length === 0) return new Map();
  const rows = await session.query<FoundRow>(FIND, [
    plain(asked.map(({ child }) => tryUuidOf(child.runId))),
    plain(asked.map((_, place) => place)),
  ]);
  return new Map(rows.map((row) => [asked[row.place] as StartErrand, childOf(row)]));
}

function childOf({ run_id, chain_id, status, is_open, seq, ...record }: FoundRow): FollowedChild {
  const [runId, chainId] = [runIdOf(run_id), runIdOf(chain_id)];
  if (is_open) return { runId, chainId, isOpen: true };
  const { type, name, payload, data } = record;
  const event = { type, command: null, name, payload, data };
  return { runId, chainId, isOpen: false, end: { runId, status: closedStatusOf(status), event, seq } };
}

export interface Following {
  /** What needs no start: it is followed, waits for the next time, or will never be. */
  readonly settled: ReadonlySet<StartErrand>;
  /** The child has gone on as another run since the heads were locked: next time that one is locked. */
  readonly late: readonly StartErrand[];
  readonly mail: readonly MailRequest[];
}

export async function followChildren(
  session: Session,
  errands: readonly StartErrand[],
  heads: ReadonlyMap<string, LockedHead>,
): Promise<Following> {
  const found = await findFollowed(session, errands);
  const late = [...found].flatMap(([errand, { isOpen, runId }]) => (isOpen && !heads.has(runId) ? [errand] : []));
  const followed = [...found].filter(([errand]) => !late.includes(errand) && heads.has(errand.asker.runId));
  const forgotten = errands.filter((errand) => errand.again?.isStarted === true && !found.has(errand));
  const kinships = followed.flatMap(([errand, child]) =>
    child.isOpen ? [{ ...followedKinship(errand, child), runId: child.runId }] : [],
  );
  const adoptions = await keepKin(session, kinships);
  return {
    settled: new Set([...found.keys(), ...forgotten]),
    late,
    mail: [
      ...adoptions.map(({ runId, parent }): MailRequest => ({ to: { runId }, ...adoptionMail(parent) })),
      ...forgotten.map((errand): MailRequest => toAsker(errand, forgottenChild(errand))),
      ...followed.flatMap(([errand, child]) => followedAnswers(errand, child).map((answer) => toAsker(errand, answer))),
    ],
  };
}

function toAsker({ asker }: StartErrand, answer: Parameters<typeof answerMail>[1]): MailRequest {
  return { to: { runId: asker.runId }, ...answerMail(asker, answer) };
}
