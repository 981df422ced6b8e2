// How much of a run's history is what the user stores.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";

/** What of an event grows with what the user stores, in UTF-16 units. */
export function payloadLength(event: HistoryEvent): number {
  switch (event.type) {
    case "RunStarted":
      return event.input?.length ?? 0;
    case "StepCompleted":
      return event.result?.length ?? 0;
    case "SignalReceived":
      return event.payload?.length ?? 0;
    case "UpdateAccepted":
      return event.input?.length ?? 0;
    case "UpdateCompleted":
    case "ChildEnded":
      return event.result?.length ?? 0;
    default:
      return 0;
  }
}
