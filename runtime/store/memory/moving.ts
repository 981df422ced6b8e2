// A run is given to another version of its workflow: it changes its lane, and mail tells it so.

import { encodeActor } from "../acted-by.ts";
import type { ControlOutcome, MoveRequest } from "../mail.ts";
import type { RunTable } from "./run-table.ts";

export function moveRun(table: RunTable, request: MoveRequest, now: number): ControlOutcome {
  const { runId, mailId, version, actor } = request;
  const run = table.get(runId);
  if (run === undefined) return { outcome: "notFound", queue: null, ownerId: null };
  const { queue } = run;
  const ownerId = run.head?.ownerId ?? null;
  if (run.mailIds.has(mailId)) return { outcome: "unchanged", queue, ownerId };
  if (run.closed !== null) return { outcome: "closed", queue, ownerId };
  if (run.version === version) return { outcome: "unchanged", queue, ownerId };
  table.putMail(run, { kind: "move", mailId, name: version ?? "", payload: encodeActor(actor) });
  table.move(run, version);
  table.change(run, { blocked: null, crashCount: 0 });
  table.wake(run, now);
  return { outcome: "changed", queue, ownerId };
}
