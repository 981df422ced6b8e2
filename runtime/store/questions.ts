// Queries on their way from a client to a worker, and back.

import type { Payload } from "../../sdk/protocol/payload.ts";

export interface QueryRequest {
  readonly queryId: string;
  readonly runId: string;
  readonly queue: string;
  readonly name: string;
  readonly input: Payload;
}

export interface TakenQuery extends QueryRequest {
  readonly ownerId: string | null;
}

/** A plain answer, or a failure with one of the query error codes. */
export type QueryAnswer =
  | { readonly ok: true; readonly payload: Payload }
  | {
      readonly ok: false;
      readonly code: "QUERY_UNKNOWN" | "QUERY_FAILED" | "WORKFLOW_UNKNOWN" | "DIVERGENCE";
      readonly message: string;
    };
