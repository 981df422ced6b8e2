// What a run says last: how its code ended, or which run goes on in its place.

import type { Event } from "../../sdk/protocol/event.ts";
import type { Outcome } from "../replay/outcome.ts";
import type { Outgoing } from "./outbox.ts";
import type { IdSource } from "./run-host.ts";
import { continuation, type DrawnRetry, type EndingRun, retrial } from "./succession.ts";

/** `retry`: a run that failed is tried again. Null for every other outcome. */
export function endOf(outcome: Outcome, retry: DrawnRetry | null, run: EndingRun, ids: IdSource): Outgoing {
  const last = lastWord(outcome, retry, run, ids);
  return run.engine.locks?.areRequested === true ? { ...last, hasLocks: true } : last;
}

function lastWord(outcome: Outcome, retry: DrawnRetry | null, run: EndingRun, ids: IdSource): Outgoing {
  if (outcome.type === "continued") return continuation(outcome.next, run, ids);
  if (retry !== null) return retrial(retry, run, ids);
  const { engine } = run;
  const unread = engine.unreadSignals();
  const event: Event =
    outcome.type === "completed"
      ? { type: "RunCompleted", result: outcome.result, unread }
      : { type: outcome.type === "failed" ? "RunFailed" : "RunCanceled", failure: outcome.failure, unread };
  return { event, close: outcome.type, hasKin: engine.hasKin };
}
