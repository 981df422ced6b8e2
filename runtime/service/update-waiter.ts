// Waits for what becomes of updates: woken by hints, with a regular look as the net. What many wait for at one moment is
// looked for with one statement.

import type { SentUpdate, UpdateOutcome, UpdateStage } from "../../sdk/client/front-door.ts";
import { EverstepError, invariant, isEverstepError } from "../../sdk/protocol/errors.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import { fromFailure } from "../../sdk/protocol/failures.ts";
import { refuseUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { UpdateLook, UpdateTrace } from "../store/mail.ts";
import { updateMailId } from "../store/mail-id.ts";
import type { ClientStore, StoreCodecs } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import { Alarm } from "../world/pause.ts";
import { Batcher } from "./batcher.ts";
import { type Insistence, insist } from "./insist.ts";

export interface UpdateWaiterOptions {
  /** Takes and gives payloads in the form in which they are kept. */
  readonly store: ClientStore;
  /** What they go through; each answer is decoded by itself, so that none waits for the codecs of another. */
  readonly codecs: StoreCodecs | undefined;
  readonly wakeups: Wakeups;
  readonly pollMs: number;
  /** For codecs that fail. Its signal is aborted when nobody waits any more. */
  readonly insistence: Insistence;
}

export interface AwaitedUpdate extends SentUpdate {
  readonly runId: string;
  /** As the caller named the run. */
  readonly run: string;
}

const MAX_LOOKS_AT_ONCE = 500;

export class UpdateWaiter {
  readonly #options: UpdateWaiterOptions;
  readonly #looks: Batcher<UpdateLook, UpdateTrace>;

  constructor(options: UpdateWaiterOptions) {
    this.#options = options;
    const { store } = options;
    const { world } = options.insistence;
    const send = (looks: readonly UpdateLook[]) => store.readUpdates(looks);
    this.#looks = new Batcher({ clock: world.clock, most: MAX_LOOKS_AT_ONCE, send });
  }

  /** Null: the update is accepted, and nobody waits for more. */
  async wait(update: AwaitedUpdate, stage: UpdateStage, timeoutMs: number | null): Promise<UpdateOutcome | null> {
    const { wakeups, pollMs } = this.#options;
    const { world, signal } = this.#options.insistence;
    const deadline = timeoutMs === null ? Number.POSITIVE_INFINITY : world.clock.monotonic() + timeoutMs;
    const alarm = new Alarm(world.clock);
    let { runId, after } = update;
    let unsubscribe = wakeups.subscribe(`run/${runId}`, () => alarm.wake());
    let isAccepted = false;
    try {
      while (!signal.aborted) {
        const trace = await this.#look({ runId, mailId: updateMailId(update.updateId), after });
        if (trace !== null && trace.runId !== runId) {
          // Its run continued as new before it came to the update. Whatever is told from here on is told of that run.
          runId = trace.runId;
          after = 0;
          unsubscribe();
          unsubscribe = wakeups.subscribe(`run/${runId}`, () => alarm.wake());
          continue;
        }
        if (trace !== null) {
          after = trace.seen;
          for (const record of trace.events) {
            if (record.type === EVENT_CODES.UpdateCompleted) return await this.#outcomeOf(runId, record);
            isAccepted ||= record.type === EVENT_CODES.UpdateAccepted;
          }
          if (isAccepted && stage === "accepted") return null;
          if (trace.refusal !== null) throw await this.#refused({ ...update, runId }, trace.mail ?? 0, trace.refusal);
          refuseToWait(update, trace, isAccepted);
        }
        const leftMs = deadline - world.clock.monotonic();
        if (leftMs <= 0) throw timedOut(update, `${timeoutMs} ms passed`, isAccepted);
        await alarm.wait(Math.min(leftMs, pollMs * (0.75 + world.chance.float() / 2)), signal);
      }
      throw timedOut(update, "The client was closed", isAccepted);
    } finally {
      unsubscribe();
    }
  }

  /** Null while the store is away: the update is where it was. */
  async #look(look: UpdateLook): Promise<UpdateTrace | null> {
    try {
      return await this.#looks.ask(look);
    } catch (error) {
      if (!isEverstepError(error) || !error.retryable) throw error;
      this.#options.insistence.world.log.debug(
        { error: String(error) },
        "cannot look for updates, looking again later",
      );
      return null;
    }
  }

  async #outcomeOf(runId: string, record: StoredEvent): Promise<UpdateOutcome> {
    const { codecs, insistence } = this.#options;
    const decoded = codecs === undefined ? record : await insist(insistence, () => codecs.decodeEvent(runId, record));
    const event = fromRecord(decoded);
    invariant(event?.type === "UpdateCompleted", "an update's outcome is what completed it", { runId });
    return { result: event.result, failure: event.failure };
  }

  async #refused(update: AwaitedUpdate, mail: number, stored: UpdateRefusal): Promise<EverstepError> {
    const { codecs, insistence } = this.#options;
    const { name, updateId, run, runId } = update;
    const { code, message, failure } =
      codecs === undefined ? stored : await insist(insistence, () => codecs.decodeRefusal(runId, mail, stored));
    refuseUnreadable(message, `Why update "${name}" (${updateId}) of run ${run} was rejected`);
    const cause = failure === null ? undefined : fromFailure(failure);
    return new EverstepError(code, message, { details: { run, update: name, updateId }, cause });
  }
}

/** Throws when there is nothing more to come. */
function refuseToWait(update: AwaitedUpdate, { mail, closed }: UpdateTrace, isAccepted: boolean): void {
  const { name, updateId, run } = update;
  const details = { run, update: name, updateId };
  if (mail === null) {
    const message = `Run ${run} was sent no update with the id ${updateId}. Check the id, and which run of that workflow id it was sent to.`;
    throw new EverstepError("UPDATE_NOT_FOUND", message, { details });
  }
  if (closed === null) return;
  if (isAccepted) {
    const message = `Run ${run} ended as ${closed} while the handler of update "${name}" (${updateId}) was under way. What it did by then is done; it has no result.`;
    throw new EverstepError("UPDATE_ABANDONED", message, { details });
  }
  const message = `Run ${run} ended as ${closed} before it came to update "${name}" (${updateId}), which had no effect.`;
  throw new EverstepError("RUN_CLOSED", message, { details });
}

function timedOut({ name, updateId, run }: AwaitedUpdate, what: string, isAccepted: boolean): EverstepError {
  const state = isAccepted ? "Its handler goes on" : "It is stored and will be looked at";
  const message = `${what} before update "${name}" (${updateId}) of run ${run} was answered. ${state}; ask again with the same updateId.`;
  return new EverstepError("UPDATE_TIMED_OUT", message, { details: { run, update: name, updateId } });
}
