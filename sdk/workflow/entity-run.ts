// The run behind an entity: performs its operations one after the other, in the order of the mailbox. Between two of them
// nothing of it is in memory that would not be in the input of the next run: there it continues as new when it is long. What
// waits then has not been begun on, and passes to the next run.

import { EverstepError } from "../protocol/errors.ts";
import { isCanceled } from "../protocol/failures.ts";
import { decodePayload, encodePayload, type Payload } from "../protocol/payload.ts";
import { parseWith } from "../protocol/standard-schema.ts";
import { requireRun } from "./ambient.ts";
import type { CancelScope } from "./cancel-scope.ts";
import type { AnyEntity } from "./entity.ts";
import { defineQuery } from "./query.ts";
import type { RunContext, SignalMessage } from "./run-context.ts";
import { defineSignal } from "./signal.ts";

export interface EntityInput {
  readonly key: string;
  /** Absent: as `initial` makes it. */
  readonly state?: object;
}

/** What a workflow tells an entity to do. One signal for all operations: so they keep their order. */
export interface ToldOperation {
  readonly operation: string;
  readonly input?: unknown;
}

export const TELL = defineSignal<ToldOperation>("everstep.tell");
const TOLD: ReadonlySet<string> = new Set([TELL.name]);

/** An operation that waits for its turn. */
interface Call {
  readonly operation: string;
  /** Throws ARGUMENT_INVALID where it does not fit its schema. */
  readonly input: () => unknown;
  /** From here on it is this run that performs it. */
  readonly begin: () => void;
  /** Resolve when the caller's answer is on its way into the history. */
  readonly succeed: (result: unknown) => Promise<void>;
  readonly fail: (error: unknown) => Promise<void>;
}

type Sent = Call & { readonly mail: number };

/** Runs in which an operation is under way. */
const performing = new WeakMap<RunContext, { ends: boolean }>();

export class EntityRun {
  readonly #entity: AnyEntity;
  readonly #key: string;
  readonly #context: RunContext;
  readonly #scope: CancelScope;
  /** What the operations that completed have left, as the input of the next run in stored form; null for nothing. */
  #left: Payload;
  #hasEnded = false;
  readonly #sent: Sent[] = [];

  constructor(entity: AnyEntity, { key, state }: EntityInput) {
    const { run, scope } = requireRun(`entity "${entity.name}"`);
    this.#entity = entity;
    this.#key = key;
    this.#context = run;
    this.#scope = scope;
    this.#left = state === undefined ? null : encodePayload({ key, state }, `entity "${entity.name}"`);
  }

  async run(): Promise<void> {
    this.#listen();
    let performed = 0;
    try {
      for (;;) {
        const call = this.#takeCall() ?? (this.#hasEnded ? undefined : await this.#nextCall());
        if (call === undefined) return;
        await this.#perform(call);
        performed++;
        // What waits comes to the next run again. Performing as many first bounds what that costs.
        const isLong = this.#context.info.continueAsNewSuggested;
        if (isLong && !this.#hasEnded && performed >= this.#context.waitingMail) return this.#continue();
      }
    } catch (error) {
      if (isCanceled(error)) for (const call of this.#sent) await call.fail(error);
      throw error;
    }
  }

  #listen(): void {
    const { operations, views } = this.#entity;
    for (const [view, look] of Object.entries(views)) {
      defineQuery<unknown, unknown>(view).handle((input) => look(this.#copyOfState() as never, input as never));
    }
    for (const operation of Object.keys(operations)) {
      this.#context.handleUpdate(operation, {
        validate: (input) => this.#parse(operation, input),
        run: (input, mail) => this.#queue(operation, input, mail),
        onUnfinished: "abandon",
      });
    }
  }

  #parse(operation: string, input: unknown): unknown {
    const { name, operations } = this.#entity;
    return parseWith(operations[operation]?.schema, input, `input of operation "${operation}" of entity "${name}"`);
  }

  #queue(operation: string, input: unknown, mail: number): Promise<unknown> {
    let succeed: (result: unknown) => void = noop;
    let fail: (error: unknown) => void = noop;
    const answer = new Promise<unknown>((resolve, reject) => {
      succeed = resolve;
      fail = reject;
    });
    // The engine gets the answer too, and asks for it after this: when this is told, the engine has been.
    const told = answer.then(noop, noop);
    this.#sent.push({
      operation,
      input: () => this.#parse(operation, input),
      mail,
      begin: this.#context.holdUpdate(mail),
      succeed: (result) => {
        succeed(result);
        return told;
      },
      fail: (error) => {
        fail(error);
        return told;
      },
    });
    return answer;
  }

  /** The oldest call that is there, taken. */
  #takeCall(): Call | undefined {
    if (this.#scope.canceledBy !== undefined) throw this.#scope.canceledBy;
    const told = this.#context.takeFirstSignal(TOLD, { beforeMail: this.#sent[0]?.mail });
    return told === undefined ? this.#sent.shift() : this.#told(told.message);
  }

  /** The next call to come, where none is there. */
  async #nextCall(): Promise<Call | undefined> {
    const told = this.#context.waitForSignal(TELL.name, this.#scope);
    const sent = this.#context.waitUntil(() => this.#sent.length > 0, this.#scope);
    try {
      const message = await Promise.race([told.received, sent.held.then(noop)]);
      return message === undefined ? this.#sent.shift() : this.#told(message);
    } finally {
      told.withdraw();
      sent.withdraw();
    }
  }

  /** Nobody waits for its answer: a failure is a line in the log. */
  #told({ signalId, value }: SignalMessage): Call {
    const { operation, input } = value as ToldOperation;
    return {
      operation,
      input: () => this.#parse(operation, input),
      begin: noop,
      succeed: async () => {},
      fail: async (error) => {
        const { workflowId } = this.#context.info;
        this.#context.log.warn("an operation failed that a workflow has told an entity to do", {
          workflowId,
          operation,
          signalId,
          error: String(error),
        });
      },
    };
  }

  async #perform({ operation, input, begin, succeed, fail }: Call): Promise<void> {
    begin();
    const { name } = this.#entity;
    const turn = { ends: false };
    performing.set(this.#context, turn);
    try {
      const perform = this.#operationOf(operation);
      const state = this.#copyOfState();
      const result = await perform(state as never, input() as never);
      const left = encodePayload({ key: this.#key, state }, `entity "${name}" after operation "${operation}"`);
      // What could not be answered must not have happened.
      encodePayload(result, `result of operation "${operation}" of entity "${name}"`);
      this.#left = turn.ends ? null : left;
      this.#hasEnded = turn.ends;
      await succeed(result);
    } catch (error) {
      await fail(error);
    } finally {
      performing.delete(this.#context);
    }
  }

  /** Of an operation that a workflow tells: it may be one that only another release knows. */
  #operationOf(operation: string): AnyEntity["operations"][string] {
    const { name, operations } = this.#entity;
    const perform = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (perform !== undefined) return perform;
    const message = `Entity "${name}" has no operation "${operation}". It has: ${Object.keys(operations).join(", ")}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { entity: name, operation } });
  }

  #copyOfState(): object {
    const { name, initial } = this.#entity;
    const left = this.#left ?? encodePayload({ state: initial(this.#key) }, `initial entity "${name}"`);
    return (decodePayload(left, `state of entity "${name}"`) as { state: object }).state;
  }

  #continue(): never {
    const { name, workflow } = this.#entity;
    const left = decodePayload(this.#left, `state of entity "${name}"`) as EntityInput | undefined;
    return workflow.continueAsNew(left ?? { key: this.#key });
  }
}

/**
 * In an operation: when it has returned, the entity ends. Its state is gone, its run is completed, and the next operation begins
 * with what `initial` makes. When the operation throws, the entity goes on.
 *
 * Throws OUTSIDE_WORKFLOW where no operation is under way, COMMAND_IN_READ_ONLY in a view.
 */
export function endEntity(): void {
  const { run } = requireRun("endEntity()");
  run.refuseInReadOnly("endEntity()");
  const turn = performing.get(run);
  if (turn === undefined) {
    const message = `endEntity() was called in run ${run.info.workflowId} where no operation of an entity is under way. Call it in an operation.`;
    throw new EverstepError("OUTSIDE_WORKFLOW", message, { details: { caller: "endEntity()" } });
  }
  turn.ends = true;
}

function noop(): void {}
