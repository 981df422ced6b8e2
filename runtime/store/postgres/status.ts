// `run.status` says how a run ended, and 1 while it has not. Whether an open run is blocked is a matter of its head.

import { invariant } from "../../../sdk/protocol/errors.ts";
import { type ClosedStatus, isClosed, type RunStatus, STATUS_CODES } from "../../../sdk/protocol/run.ts";

const STATUSES = new Map<number, RunStatus>(
  Object.entries(STATUS_CODES).map(([status, code]) => [code, status as RunStatus]),
);

export function statusOf(code: number, isBlocked: boolean): RunStatus {
  if (code === STATUS_CODES.running) return isBlocked ? "blocked" : "running";
  return closedStatusOf(code);
}

export function closedStatusOf(code: number): ClosedStatus {
  const status = STATUSES.get(code);
  invariant(status !== undefined && isClosed(status), "a closed run has a known status", { code });
  return status;
}
