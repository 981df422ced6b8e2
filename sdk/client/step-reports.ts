// What callers say of a step that waits to be completed from outside, in stored form.

import { toFailure } from "../protocol/failures.ts";
import { encodePayload } from "../protocol/payload.ts";
import type { ActorOptions } from "./acting.ts";
import type { StepReportCall } from "./front-door.ts";

export interface StepReportOptions extends ActorOptions {
  /** Reporting again with the same id changes nothing and is no error. Default: a new random id for each call. */
  readonly reportId?: string;
}

/** Throws PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
export function completion(result: unknown, { reportId }: StepReportOptions = {}): StepReportCall {
  const value = encodePayload(result, "result of a step, completed from outside");
  return { reportId: reportId ?? null, outcome: "completed", value };
}

export function failing(error: unknown, { reportId }: StepReportOptions = {}): StepReportCall {
  return { reportId: reportId ?? null, outcome: "failed", failure: toFailure(error) };
}

/** Throws PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
export function heartbeat(details: unknown): StepReportCall {
  const value = encodePayload(details, "heartbeat of a step, from outside");
  return { reportId: null, outcome: "heartbeat", value };
}
