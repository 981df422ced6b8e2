// What a run has asked of other runs and has no answer to. It is answered in its own history alone: a copy of it, here or in
// another database, would wait for ever.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";

const REQUESTS: ReadonlySet<string> = new Set(["ChildRequested", "ExternalRequested"]);
const ANSWERS: ReadonlySet<string> = new Set(["ChildStartFailed", "ChildEnded", "ExternalDelivered", "ExternalFailed"]);

/** The name of the first such request; undefined when there is none. */
export function askedOfOthers(events: readonly HistoryEvent[]): string | undefined {
  return firstOpen(events, REQUESTS, ANSWERS);
}

const LOCK_REQUESTS: ReadonlySet<string> = new Set(["LockRequested"]);
const LOCK_RELEASES: ReadonlySet<string> = new Set(["LockReleased"]);

/** The key of the first lock that the run holds or waits for. It has one place in the queue, which no copy of it has. */
export function lockedIn(events: readonly HistoryEvent[]): string | undefined {
  return firstOpen(events, LOCK_REQUESTS, LOCK_RELEASES);
}

function firstOpen(
  events: readonly HistoryEvent[],
  requests: ReadonlySet<string>,
  answers: ReadonlySet<string>,
): string | undefined {
  const asked = new Map<number, string>();
  for (const event of events) {
    if (!("command" in event)) continue;
    if (requests.has(event.type)) asked.set(event.command, event.name);
    else if (answers.has(event.type)) asked.delete(event.command);
  }
  return asked.values().next().value;
}
