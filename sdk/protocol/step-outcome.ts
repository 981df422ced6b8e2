// What can be said of a step from outside.

import type { Failure } from "./failure.ts";
import type { Payload } from "./payload.ts";

export type StepOutcome =
  | { readonly outcome: "completed"; readonly value: Payload }
  | { readonly outcome: "failed"; readonly failure: Failure }
  /** Not over yet, and alive. */
  | { readonly outcome: "heartbeat"; readonly value: Payload };
