// How work ended badly, as data in a history: plain, bounded, the same on every machine.

export type FailureKind = "application" | "step" | "child" | "timeout" | "canceled" | "terminated";

export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  /** The thrown error's name, matched exactly by `nonRetryable`. */
  readonly type: string;
  readonly retryable: boolean;
  readonly stack?: string;
  readonly cause?: Failure;
  /** Anything more the thrower attached, in stored form. */
  readonly details?: string;
  /** The thrown error's `code`, as Node, Postgres drivers and many SDKs set it: "ECONNREFUSED", "23505". */
  readonly code?: string | number;
  /** How long the thrower asked to wait before the next attempt. */
  readonly retryAfterMs?: number;
  /** For kind "step": which step; for "timeout": which of the limits. */
  readonly step?: string;
  /** For kind "child": which run. */
  readonly child?: { readonly workflow: string; readonly workflowId: string };
  /** For kind "step": how many attempts it had. */
  readonly attempts?: number;
  readonly timeout?: "attempt" | "total" | "heartbeat" | "run" | "scope" | "lock";
}
