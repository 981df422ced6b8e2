// What a run waits for that time alone ends, as its history tells it: the next attempts of steps that have failed, and timers.
// What the code has taken back since no event tells: its owner knows.

import { EVENT_CODES, type RepairRequest } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Wait } from "../store/repair-request.ts";

export interface FoundWait extends Wait {
  readonly name: string;
  readonly dueAt: number;
}

export interface FoundWaits {
  /** By command number, and so are the next. */
  readonly retryNow: readonly FoundWait[];
  readonly skipSleep: readonly FoundWait[];
  /** Requests that the run has come to. */
  readonly requestIds: Readonly<Record<RepairRequest, ReadonlySet<string>>>;
}

const TELLING: ReadonlySet<number> = new Set([
  EVENT_CODES.StepAttemptFailed,
  EVENT_CODES.StepCompleted,
  EVENT_CODES.StepFailed,
  EVENT_CODES.StepDeferred,
  EVENT_CODES.StepRetried,
  EVENT_CODES.TimerStarted,
  EVENT_CODES.TimerFired,
  EVENT_CODES.TimerSkipped,
  EVENT_CODES.RequestIgnored,
  EVENT_CODES.RunForked,
]);

export function waitsIn(events: readonly StoredEvent[]): FoundWaits {
  const steps = new Map<number, FoundWait>();
  const timers = new Map<number, FoundWait>();
  const requestIds = { retryNow: new Set<string>(), skipSleep: new Set<string>() };
  for (const record of events) {
    const event = TELLING.has(record.type) ? fromRecord(record) : undefined;
    switch (event?.type) {
      case "StepAttemptFailed": {
        const { command, name, attempt, at, delayMs } = event;
        steps.set(command, { command, name, attempt: attempt + 1, dueAt: at + delayMs });
        break;
      }
      case "StepRetried":
        requestIds.retryNow.add(event.requestId);
        steps.delete(event.command);
        break;
      case "StepCompleted":
      case "StepFailed":
      case "StepDeferred":
        steps.delete(event.command);
        break;
      case "RunForked":
        if (event.retried !== null) steps.delete(event.retried);
        break;
      case "TimerStarted": {
        const { command, name, at, due } = event;
        timers.set(command, { command, name, dueAt: "atMs" in due ? due.atMs : at + due.afterMs });
        break;
      }
      case "TimerSkipped":
        requestIds.skipSleep.add(event.requestId);
        timers.delete(event.command);
        break;
      case "TimerFired":
        timers.delete(event.command);
        break;
      case "RequestIgnored":
        requestIds[event.request].add(event.requestId);
    }
  }
  return { retryNow: inOrder(steps), skipSleep: inOrder(timers), requestIds };
}

/** Of asking, whichever failed first. */
function inOrder(waits: ReadonlyMap<number, FoundWait>): FoundWait[] {
  return [...waits.values()].sort((left, right) => left.command - right.command);
}
