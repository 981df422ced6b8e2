// What a run has asked of other runs and has no answer to. It is answered in its own history alone: a copy of it, here or in
// another database, would wait for ever.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { sharedChildren } from "./shared-children.ts";

/** The name of the first such request; undefined when there is none. */
export function askedOfOthers(events: readonly HistoryEvent[]): string | undefined {
  const children = new Set(sharedChildren(events, null).map(({ command }) => command));
  const asked = new Map<number, string>();
  for (const event of events) {
    switch (event.type) {
      case "ChildRequested":
        if (children.has(event.command)) asked.set(event.command, event.name);
        break;
      case "ExternalRequested":
        asked.set(event.command, event.name);
        break;
      case "ExternalDelivered":
      case "ExternalFailed":
        asked.delete(event.command);
        break;
    }
  }
  return asked.values().next().value;
}
