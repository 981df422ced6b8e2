// Why a run did not take an update. It is no event: the run's history knows nothing of it. The mailbox keeps it for
// whoever sent the update, so the same update id is always answered the same.

import type { Failure } from "./failure.ts";

export interface UpdateRefusal {
  /** No handler has the name; the validator threw; the run had ended before it came to the update. */
  readonly code: "UPDATE_UNKNOWN" | "UPDATE_REJECTED" | "RUN_CLOSED";
  readonly message: string;
  /** What the validator threw; null for the other reasons. */
  readonly failure: Failure | null;
}
