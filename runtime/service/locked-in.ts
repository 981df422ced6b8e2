// The locks that a run holds or waits for at the end of some of its events. It has one place in each queue, which no copy of it
// has: a fork asks for its own.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { LockRequest } from "../store/locks.ts";

/** In the order of asking. What is held is to be regained, before the copy does anything. */
export function lockedIn(events: readonly HistoryEvent[]): Omit<LockRequest, "runId">[] {
  const open = new Map<number, Omit<LockRequest, "runId">>();
  for (const event of events) {
    if (event.type === "LockRequested") {
      const { command, name: key, permits, capacity } = event;
      open.set(command, { command, key, permits, capacity, isRegained: false });
    } else if (event.type === "LockGranted") {
      const lock = open.get(event.command);
      if (lock !== undefined) open.set(event.command, { ...lock, isRegained: true });
    } else if (event.type === "LockReleased") {
      open.delete(event.command);
    }
  }
  return [...open.values()];
}
