// An update, seen by whoever sent it.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError, invariant } from "../protocol/errors.ts";
import { fromFailure } from "../protocol/failures.ts";
import { decodePayload } from "../protocol/payload.ts";
import type { FrontDoor, SentUpdate } from "./front-door.ts";

export interface UpdateWaitOptions {
  /** How long to wait before giving up with UPDATE_TIMED_OUT. Default: for ever. */
  readonly timeout?: Duration;
}

export class UpdateHandle<Result = unknown> {
  readonly #door: FrontDoor;
  readonly #sent: SentUpdate;

  /** Handles come from a `RunHandle` or a `Client`. */
  constructor(door: FrontDoor, sent: SentUpdate) {
    this.#door = door;
    this.#sent = sent;
  }

  /** The update's id: sending again with it, to the same run, gives the same answer. */
  get updateId(): string {
    return this.#sent.updateId;
  }

  /**
   * Waits until the run has accepted the update: its validator had nothing against it, and its handler has begun.
   *
   * Throws UPDATE_REJECTED, UPDATE_UNKNOWN, RUN_CLOSED when it was not taken, UPDATE_TIMED_OUT, UPDATE_NOT_FOUND,
   * RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  async accepted(options: UpdateWaitOptions = {}): Promise<void> {
    await this.#door.awaitUpdate(this.#sent, "accepted", timeoutOf(options, "accepted"));
  }

  /**
   * Waits for the handler to end and gives its result.
   *
   * Throws UPDATE_FAILED (its `cause` is what the handler threw), UPDATE_ABANDONED when the run closed first, and like
   * `accepted`.
   */
  async result(options: UpdateWaitOptions = {}): Promise<Result> {
    const { name, updateId } = this.#sent;
    const outcome = await this.#door.awaitUpdate(this.#sent, "completed", timeoutOf(options, "result"));
    invariant(outcome !== null, "a completed update has an outcome", { updateId });
    if (outcome.failure === null) return decodePayload(outcome.result, `result of update "${name}"`) as Result;
    const message = `Update "${name}" (${updateId}) failed: ${outcome.failure.message}`;
    throw new EverstepError("UPDATE_FAILED", message, {
      cause: fromFailure(outcome.failure),
      details: { update: name, updateId },
    });
  }
}

function timeoutOf({ timeout }: UpdateWaitOptions, method: string): number | null {
  return timeout === undefined ? null : toMs(timeout, `${method}({ timeout })`);
}
