// Children that were under way when a run was forked: its events tell that they were asked for, and not how they ended.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { SharedChild } from "../store/forks.ts";

/** `anew`: the command of a child that the fork starts once more, and so does not share; null for none. */
export function sharedChildren(events: readonly HistoryEvent[], anew: number | null): SharedChild[] {
  const open = new Map<number, SharedChild>();
  /** By command, the run that was named last: whoever names it again asks again, also where it had ended just before. */
  const named = new Map<number, string>();
  for (const event of events) {
    switch (event.type) {
      case "ChildRequested": {
        const { command, childRunId: runId } = event;
        // A fork has asked again for what it shares with its own source.
        if (named.get(command) !== runId) open.set(command, { command, runId, isStarted: false });
        named.set(command, runId);
        break;
      }
      case "ChildStarted": {
        const { command, adopted } = event;
        const runId = adopted ?? open.get(command)?.runId;
        if (runId === undefined) break;
        open.set(command, { command, runId, isStarted: true });
        named.set(command, runId);
        break;
      }
      case "ChildStartFailed":
      case "ChildEnded":
        open.delete(event.command);
        break;
      case "RunForked":
        if (event.retried !== null) open.delete(event.retried);
        break;
    }
  }
  return [...open.values()].filter(({ command }) => command !== anew);
}
