// What becomes of a request to retry steps now, or to skip sleeps, when the run comes to it: those of the waits that are not
// over yet end here. Decided once, in the log: whatever would have ended them by itself comes after this, or came before it.

import type { RepairRequest, RequestIgnored, StepRetried, TimerSkipped } from "../../sdk/protocol/event.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { PendingCommand } from "../replay/pending.ts";
import { decodeWaits, type Wait } from "../store/repair-request.ts";

/** The request, at its place in the mailbox. */
export interface RepairMail {
  readonly mail: number;
  readonly requestId: string;
  readonly request: RepairRequest;
  /** Stored form. */
  readonly waits: Payload;
}

export type CutEvent = StepRetried | TimerSkipped | RequestIgnored;

/**
 * One event for each wait that is cut short; where none is, one that says so, since the mail has to be taken. `waiting`:
 * the command of this number, if it waits for its time and nothing is decided of it.
 */
export function cutWaits(
  { mail, requestId, request, waits }: RepairMail,
  waiting: (command: number) => PendingCommand | undefined,
): readonly CutEvent[] {
  const { waits: meant, ...by } = decodeWaits(waits);
  const cut = meant.flatMap((wait): CutEvent[] => {
    const pending = waiting(wait.command);
    if (request === "skipSleep" && pending?.kind === "StartTimer") {
      return [{ type: "TimerSkipped", command: pending.command, name: pending.name, mail, requestId, ...by }];
    }
    if (request === "retryNow" && pending?.kind === "RunStep" && isNext(wait, pending)) {
      const attempt = pending.failedAttempts + 1;
      const { command, ask } = pending;
      return [{ type: "StepRetried", command, name: ask.name, attempt, mail, requestId, ...by }];
    }
    return [];
  });
  return cut.length > 0 ? cut : [{ type: "RequestIgnored", mail, requestId, request, ...by }];
}

/** It is this attempt that waits: not one that is to be completed from outside, and whose limit is waited for. */
function isNext({ attempt }: Wait, pending: PendingCommand & { readonly kind: "RunStep" }): boolean {
  return attempt === pending.failedAttempts + 1 && pending.deferral === null;
}
