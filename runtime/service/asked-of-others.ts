// What a run has asked of other runs and has no answer to. It is answered in its own history alone: a copy of it, here or in
// another database, would wait for ever.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";

const REQUESTS: ReadonlySet<string> = new Set(["ChildRequested", "ExternalRequested"]);
const ANSWERS: ReadonlySet<string> = new Set(["ChildStartFailed", "ChildEnded", "ExternalDelivered", "ExternalFailed"]);

/** The name of the first such request; undefined when there is none. */
export function askedOfOthers(events: readonly HistoryEvent[]): string | undefined {
  const asked = new Map<number, string>();
  for (const event of events) {
    if (!("command" in event)) continue;
    if (REQUESTS.has(event.type)) asked.set(event.command, event.name);
    else if (ANSWERS.has(event.type)) asked.delete(event.command);
  }
  return asked.values().next().value;
}
