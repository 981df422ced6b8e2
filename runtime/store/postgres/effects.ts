// Turns that do something to other runs: the append, and what follows from it, in one transaction. Apart from the
// appends of all other turns, which are one statement and stay as fast as they are.

import type { RunEnd } from "../errands.ts";
import type { AppendAnswer, AppendTurn } from "../turns.ts";
import { appendTurns } from "./appending.ts";
import type { Pool } from "./connection.ts";
import { startSuccessors } from "./continuing.ts";
import { keepErrands, partKin } from "./kin.ts";
import { changeLocks, tellGranted } from "./locks.ts";

export async function appendWithEffects(pool: Pool, turns: readonly AppendTurn[]): Promise<AppendAnswer> {
  return pool.transaction(async (session) => {
    const answer = await appendTurns(session, turns);
    const committed = turns.filter(({ claim }) => answer.committed.has(claim.runId));
    await keepErrands(
      session,
      committed.flatMap(({ effects }) => effects?.errands ?? []),
    );
    await startSuccessors(session, committed, answer.at);
    await partKin(session, committed.flatMap(endOf));
    const changes = committed.flatMap(({ effects }) => effects?.locks ?? []);
    if (changes.length === 0) return answer;
    const grants = await changeLocks(
      session,
      changes.flatMap(({ releases }) => releases),
      changes.flatMap(({ requests }) => requests),
    );
    return { ...answer, ...(await tellGranted(session, grants, answer.committed)) };
  });
}

function endOf({ claim, close, base, events, effects }: AppendTurn): RunEnd[] {
  const event = events.at(-1);
  return close === null || event === undefined || effects?.isWithoutKin === true
    ? []
    : [{ runId: claim.runId, status: close, event, seq: base + events.length }];
}
