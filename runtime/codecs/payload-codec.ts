// What a codec is: it turns the bytes of a payload into other bytes on their way into the store, and back.

/** Where a payload belongs. */
export interface PayloadPlace {
  readonly what:
    | "input"
    | "result"
    | "failure"
    | "signal"
    | "stepReport"
    | "updateInput"
    | "updateResult"
    | "heartbeat"
    | "queryInput"
    | "queryAnswer";
  /**
   * The run it belongs to, by its own id; by its workflow id for a signal or update that was sent by that; null for a
   * query's answer, which belongs to the question.
   */
  readonly owner: { readonly runId: string } | { readonly workflowId: string } | null;
  /**
   * Names the very place in a canonical text: the run, and which of its events, items of mail, heartbeats or questions. A codec
   * that authenticates includes it, and so finds out when a payload was moved.
   */
  readonly binding: string;
}

/**
 * One link of the chain of `codecs`. Its functions may be called for many payloads at once, and are given up on after ten
 * seconds.
 */
export interface PayloadCodec {
  /** Kept with each payload it encodes, to find it by: letters, digits and dashes, one of its kind in a chain. */
  readonly name: string;
  /**
   * Other bytes for these; undefined to leave them as they are. What it throws is taken for an outage: it is asked again
   * with growing pauses, and nothing is lost meanwhile.
   */
  encode(bytes: Uint8Array, place: PayloadPlace): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  /**
   * The bytes that `encode` was given. Throw an `EverstepError` with PAYLOAD_UNREADABLE when they can never be had by this
   * process: the run is blocked with its message. What else it throws is taken for an outage.
   */
  decode(bytes: Uint8Array, place: PayloadPlace): Uint8Array | Promise<Uint8Array>;
  /** True when a payload at this place that this codec has not encoded must not be believed. Default: never. */
  requires?(place: PayloadPlace): boolean;
  /**
   * The run was deleted: what this codec keeps elsewhere for payloads whose `owner` it was by its run id is needed no more.
   * Called once, after the run is gone, for runs with and without such payloads. What it throws is logged.
   */
  forget?(runId: string): void | Promise<void>;
}
