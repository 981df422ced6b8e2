// Which kind of obstacle an engine's error is, in the words that a blocked run carries.

import type { EverstepError } from "../../sdk/protocol/errors.ts";
import type { BlockedKind, BlockedReason } from "../../sdk/protocol/run.ts";

export function blockedReasonOf(error: EverstepError): BlockedReason {
  return { kind: kindOf(error), message: error.message };
}

function kindOf(error: EverstepError): BlockedKind {
  switch (error.code) {
    case "FOREIGN_WAIT":
      return "foreignWait";
    case "PAYLOAD_UNREADABLE":
      return "unreadablePayload";
    case "WORKFLOW_UNKNOWN":
      return "unknownWorkflow";
    default:
      return "divergence";
  }
}
