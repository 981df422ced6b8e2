// Updates inside a run: judged before the history knows of them, handled from the moment it does, and told about when
// their handlers have ended. A handler's outcome is the code's own doing, like the run's result: at replay it comes out
// again, and is compared with what history says.

import type { UpdateAccepted, UpdateCompleted } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { toFailure } from "../../sdk/protocol/failures.ts";
import { decodePayload, encodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { UpdateHandler } from "../../sdk/workflow/run-context.ts";
import type { HandlersUnderWay } from "./handlers-under-way.ts";

export interface AskedUpdate {
  readonly updateId: string;
  readonly name: string;
  readonly input: Payload;
}

export interface EndedUpdate {
  readonly updateId: string;
  readonly name: string;
  readonly result: Payload;
  readonly failure: Failure | null;
}

export interface Acceptance {
  /** Calls the handler. */
  execute(handler: () => unknown): unknown;
  ended(update: EndedUpdate): void;
}

export class Updates {
  readonly #workflowId: string;
  readonly #underWay: HandlersUnderWay;
  readonly #handlers = new Map<string, UpdateHandler>();
  /** Ended, and not in the history yet. */
  readonly #ended = new Map<string, EndedUpdate>();
  #untold: EndedUpdate[] = [];
  readonly #held = new Set<number>();

  constructor(workflowId: string, underWay: HandlersUnderWay) {
    this.#workflowId = workflowId;
    this.#underWay = underWay;
  }

  get hasHandlers(): boolean {
    return this.#handlers.size > 0;
  }

  handle(name: string, handler: UpdateHandler): void {
    this.#handlers.set(name, handler);
  }

  /** Accepted, and not begun on until what is returned is called. */
  hold(mail: number): () => void {
    this.#held.add(mail);
    return () => void this.#held.delete(mail);
  }

  /** Where the updates that are held are in the mailbox. */
  get held(): Iterable<number> {
    return this.#held;
  }

  /** Null when the run takes the update. `evaluate` calls the validator where it can change nothing. */
  judge(update: AskedUpdate, evaluate: (validate: () => unknown) => unknown): UpdateRefusal | null {
    const { name, updateId } = update;
    const handler = this.#handlers.get(name);
    const which = `Update "${name}" (${updateId}) to run ${this.#workflowId}`;
    if (handler === undefined) {
      const known = [...this.#handlers.keys()].map((each) => `"${each}"`).join(", ") || "none";
      const message = `${which} was not taken: the run has no handler of that name. It takes: ${known}.`;
      return { code: "UPDATE_UNKNOWN", message, failure: null };
    }
    try {
      // Read anew for the validator: what it does to the input is not what the handler gets.
      const input = this.#read(update);
      const answer = evaluate(() => handler.validate(input));
      if (!(answer instanceof Promise)) return null;
      answer.catch(() => {});
      throw new TypeError(
        "its validator returned a promise; validators must decide at once, by the input and the state",
      );
    } catch (error) {
      const failure = toFailure(error);
      return { code: "UPDATE_REJECTED", message: `${which} was rejected: ${failure.message}`, failure };
    }
  }

  /** What starts the handler, to be called as the run's own code; undefined when there is no handler. */
  accept(event: UpdateAccepted, { execute, ended }: Acceptance): (() => void) | undefined {
    const handler = this.#handlers.get(event.name);
    if (handler === undefined) return undefined;
    const input = this.#read(event);
    const { updateId, name } = event;
    const leave = this.#underWay.enter({ kind: "update", name, id: updateId }, handler.onUnfinished);
    const end = (result: Payload, failure: Failure | null) => {
      leave();
      ended({ updateId, name, result, failure });
    };
    const threw = (error: unknown) => end(null, toFailure(error));
    const returned = (value: unknown) => {
      let result: Payload;
      try {
        result = encodePayload(value, `result of update "${name}"`);
      } catch (error) {
        return threw(error);
      }
      end(result, null);
    };
    return () => {
      try {
        Promise.resolve(execute(() => handler.run(input, event.mail))).then(returned, threw);
      } catch (error) {
        threw(error);
      }
    };
  }

  /** A handler has ended: to be told to the history, unless that is where we have it from. */
  noteEnded(update: EndedUpdate): void {
    this.#ended.set(update.updateId, update);
    this.#untold.push(update);
  }

  takeUntold(): EndedUpdate[] {
    if (this.#untold.length === 0) return [];
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** Undefined when the code came to what history says; else what it did instead. Failures are compared as such only. */
  compare(event: UpdateCompleted): string | undefined {
    const ended = this.#ended.get(event.updateId);
    if (ended === undefined) return "the code's handler has not ended by then";
    this.#ended.delete(event.updateId);
    this.#untold = this.#untold.filter((each) => each !== ended);
    if (ended.name !== event.name) return `the code handled "${ended.name}" under its id`;
    if ((ended.failure === null) !== (event.failure === null)) {
      return `the code's handler ${ended.failure === null ? "returned" : "threw"}`;
    }
    return ended.result === event.result ? undefined : "the code's handler returned another result";
  }

  #read({ name, input }: Pick<AskedUpdate, "name" | "input">): unknown {
    return decodePayload(input, `input of update "${name}" to run ${this.#workflowId}`);
  }
}
