// Whether a run may be claimed, changed from outside: paused, resumed, unblocked. The mail that tells of it goes in with
// the change; the history is left to the run's owner.

import { encodeActor } from "../acted-by.ts";
import type { ControlOutcome, ControlRequest } from "../mail.ts";
import type { RunTable } from "./run-table.ts";
import { type Head, headOf, isToBeRetried, type StoredRun } from "./stored-run.ts";

export function controlRun(table: RunTable, request: ControlRequest, now: number): ControlOutcome {
  const run = table.get(request.runId);
  if (run === undefined) return { outcome: "notFound", queue: null, ownerId: null };
  const { queue } = run;
  const ownerId = run.head?.ownerId ?? null;
  if (run.mailIds.has(request.mailId)) return { outcome: "unchanged", queue, ownerId };
  if (run.closed !== null) return { outcome: "closed", queue, ownerId };
  const change = changeOf(run, request, now);
  if (change === null) return { outcome: "unchanged", queue, ownerId };
  const { kind, mailId, reason, actor } = request;
  const name = kind === "unblock" ? (headOf(run).blocked?.kind ?? "") : reason;
  table.putMail(run, { kind, mailId, name, payload: encodeActor(actor) });
  table.change(run, change);
  if (kind === "unblock" || (kind === "resume" && !isToBeRetried(run))) table.wake(run, now);
  return { outcome: "changed", queue, ownerId };
}

/** Null: there is nothing to change. */
function changeOf(run: StoredRun, { kind, reason, actor }: ControlRequest, now: number): Partial<Head> | null {
  const { paused, blocked } = headOf(run);
  switch (kind) {
    case "pause":
      return paused === null
        ? { paused: Object.freeze({ reason, at: now, ...(actor !== undefined && { actor }) }) }
        : null;
    case "resume":
      return paused === null ? null : { paused: null };
    case "unblock":
      return blocked === null ? null : { blocked: null, crashCount: 0 };
  }
}
