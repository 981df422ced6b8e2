// Turns that do something to other runs: the append, and what follows from it, in one transaction. Apart from the
// appends of all other turns, which are one statement and stay as fast as they are.

import type { AppendAnswer, AppendTurn } from "../store.ts";
import { appendIn } from "./appending.ts";
import type { Pool } from "./connection.ts";
import { startSuccessors } from "./continuing.ts";

export async function appendWithEffects(pool: Pool, turns: readonly AppendTurn[]): Promise<AppendAnswer> {
  return pool.transaction(async (session) => {
    const answer = await appendIn(session, turns);
    const committed = turns.filter(({ claim }) => answer.committed.has(claim.runId));
    await startSuccessors(session, committed, answer.at);
    return answer;
  });
}
