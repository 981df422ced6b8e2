// Appends: a turn goes in whole, or not at all and without a trace. The right to write is compared here, in the same
// stroke as the write, and so is all that may have changed since the turn was worked out.

import { invariant } from "../../../sdk/protocol/errors.ts";
import type { AppendAnswer, AppendTurn, ResolvedTurn } from "../turns.ts";
import { succeed } from "./continuing.ts";
import type { RunTable } from "./run-table.ts";
import { isOwnedBy } from "./stored-run.ts";
import type { Versions } from "./versions.ts";

export function appendTurns(
  table: RunTable,
  versions: Versions,
  turns: readonly AppendTurn[],
  now: number,
): AppendAnswer {
  const runIds = new Set(turns.map((turn) => turn.claim.runId));
  invariant(runIds.size === turns.length, "a call brings one turn per run", { turns: turns.length });
  const committed = turns.filter((turn) => appendTurn(table, versions, turn, now)).map((turn) => turn.claim.runId);
  return { at: now, committed: new Set(committed) };
}

export function resolveTurn(table: RunTable, turn: AppendTurn, now: number): ResolvedTurn {
  const { runId } = turn.claim;
  const run = table.get(runId);
  const first = run?.tags[turn.base] === turn.tag ? run.history[turn.base] : undefined;
  return {
    runId,
    landed: first !== undefined,
    at: first?.at ?? null,
    owned: isOwnedBy(run, turn.claim),
    events: run?.history.length ?? 0,
    newestMail: run?.mailbox.at(-1)?.mail ?? 0,
    now,
  };
}

function appendTurn(table: RunTable, versions: Versions, turn: AppendTurn, now: number): boolean {
  const { claim, base, events, refusals, takenMail, notBefore, close } = turn;
  const at = turn.at ?? now;
  invariant(events.length + refusals.length > 0, "a turn brings an event or refuses an update", { runId: claim.runId });
  const run = table.get(claim.runId);
  if (!isOwnedBy(run, claim) || run.history.length !== base) return false;
  if (notBefore !== null && now < notBefore) return false;
  // Mail moves on to the run that continues it; a pause would not.
  if (close === "continuedAsNew" ? run.head.paused !== null : close !== null && run.mailbox.length > takenMail) {
    return false;
  }
  // A turn that only refuses is not told from one that comes later: sent again and late, it moves nothing back.
  table.change(run, { takenMail: Math.max(takenMail, run.head.takenMail), crashCount: 0 });
  table.append(run, events, turn.tag, at);
  for (const { mail, refusal } of refusals) table.refuse(run, mail, refusal);
  if (close !== null) table.close(run, close, at);
  if (turn.effects?.successor != null) succeed(table, versions, run, turn.effects.successor, takenMail, now);
  return true;
}
