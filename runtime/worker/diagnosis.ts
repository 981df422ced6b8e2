// Replays a run that diverged once more, this time remembering where in the code each command is asked for, so that the
// reason names the place.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { TurnLoop } from "../replay/turn-loop.ts";
import type { WorkerStore } from "../store/store.ts";
import { blockedReasonOf } from "./blocked-reason.ts";

export interface DiagnosisOptions {
  readonly store: WorkerStore;
  readonly turns: TurnLoop;
  readonly engine: () => RunEngine | undefined;
  readonly runId: string;
  readonly reason: BlockedReason;
}

/** The reason with its place in the code, or as it was when the second replay does not show it. */
export async function diagnose({ store, turns, engine, runId, reason }: DiagnosisOptions): Promise<BlockedReason> {
  if (reason.kind !== "divergence" && reason.kind !== "foreignWait") return reason;
  try {
    const [history] = await store.loadHistories([runId]);
    const again = engine();
    if (history === undefined || again === undefined) return reason;
    const events = history.events.map(fromRecord).filter((event): event is HistoryEvent => event !== undefined);
    if (events.length !== history.events.length) return reason;
    await new Promise<void>((resolve) => turns.feed(again, events, true, resolve));
    return again.broken === undefined ? reason : blockedReasonOf(again.broken);
  } catch {
    return reason;
  }
}
