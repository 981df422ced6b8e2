// An entity, seen from outside, with the types of its operations and views.

import { encodeChecked } from "../protocol/checked-payload.ts";
import type { Duration } from "../protocol/duration.ts";
import { isEverstepError } from "../protocol/errors.ts";
import { decodePayload, encodePayload } from "../protocol/payload.ts";
import type { AnyEntity, InputOf } from "../workflow/entity.ts";
import { defineQuery } from "../workflow/query.ts";
import type { FrontDoor, SentUpdate, StartCall, UpdateCall } from "./front-door.ts";
import { type QueryOptions, RunHandle } from "./run-handle.ts";
import { UpdateHandle, type UpdateWaitOptions } from "./update-handle.ts";

export interface OperationOptions {
  /**
   * The same id, the same answer: an operation that is sent again with its id is performed once, as long as the entity lives, and
   * afterwards until it comes into being anew. Default: a new random id for each call.
   */
  readonly operationId?: string;
  /** How long to wait before giving up with UPDATE_TIMED_OUT; the operation goes on. Default: for ever. */
  readonly timeout?: Duration;
}

type Arguments<Input, Options> = undefined extends Input
  ? [input?: Input, options?: Options]
  : [input: Input, options?: Options];

type ResultOf<Of> = Of extends (...given: never[]) => infer Result ? Awaited<Result> : never;

/** The operations and the views of an entity, to be called. */
// Of a condition an editor shows what it comes to, not what it was made of.
export type EntityHandle<Of extends AnyEntity> = Of extends AnyEntity
  ? {
      readonly [Name in keyof Of["operations"]]: (
        ...given: Arguments<InputOf<Of["operations"][Name]>, OperationOptions>
      ) => Promise<ResultOf<Of["operations"][Name]>>;
    } & {
      readonly [Name in keyof Of["views"]]: (
        ...given: Arguments<InputOf<Of["views"][Name]>, QueryOptions>
      ) => Promise<ResultOf<Of["views"][Name]>>;
    }
  : never;

/** `start`: how its run is started, by the first operation. */
export function entityHandle<Of extends AnyEntity>(
  door: FrontDoor,
  entity: Of,
  key: string,
  start: StartCall,
): EntityHandle<Of> {
  const calls = new EntityCalls(door, entity, key, start);
  const operations = Object.keys(entity.operations).map((name) => [
    name,
    (input: unknown, options?: OperationOptions) => calls.perform(name, input, options),
  ]);
  const views = Object.keys(entity.views).map((name) => [
    name,
    (input: unknown, options?: QueryOptions) => calls.look(name, input, options),
  ]);
  return Object.fromEntries([...operations, ...views]) as EntityHandle<Of>;
}

/** It may end while it is called: then it comes into being anew. Whoever ends it each time is not repeated for ever. */
const MOST_TRIES = 5;

class EntityCalls {
  readonly #door: FrontDoor;
  readonly #entity: AnyEntity;
  readonly #key: string;
  readonly #start: StartCall;
  readonly #workflowId: string;

  constructor(door: FrontDoor, entity: AnyEntity, key: string, start: StartCall) {
    this.#door = door;
    this.#entity = entity;
    this.#key = key;
    this.#start = start;
    this.#workflowId = entity.workflowId(key);
  }

  async perform(name: string, input: unknown, options: OperationOptions = {}): Promise<unknown> {
    const { operationId = null, ...wait } = options;
    const { schema } = this.#entity.operations[name] ?? {};
    const what = `input of operation "${name}" of entity "${this.#entity.name}"`;
    const update: UpdateCall = { updateId: operationId, name, input: encodeChecked(schema, input, what) };
    let sent = await this.#sendToOpen(update);
    for (let tries = 1; ; tries++) {
      sent ??= await this.#sendWithStart(update);
      try {
        return await new UpdateHandle<unknown>(this.#door, sent).result(waitOf(wait));
      } catch (error) {
        // Whatever ended the entity was first, and this had no effect.
        if (!isEverstepError(error, "RUN_CLOSED") || tries === MOST_TRIES) throw error;
        await this.#door.outcome(sent.to, null, true);
        sent = undefined;
      }
    }
  }

  /** Also to one that has ended, which knows the operation if it has performed it. */
  async #sendToOpen(update: UpdateCall): Promise<SentUpdate | undefined> {
    try {
      return await this.#door.sendUpdate({ workflowId: this.#workflowId }, update);
    } catch (error) {
      if (isEverstepError(error, "RUN_NOT_FOUND") || isEverstepError(error, "RUN_CLOSED")) return undefined;
      throw error;
    }
  }

  async #sendWithStart(update: UpdateCall): Promise<SentUpdate> {
    const { update: sent } = await this.#door.start({ ...this.#start, update });
    return sent as SentUpdate;
  }

  async look(name: string, input: unknown, options?: QueryOptions): Promise<unknown> {
    const run = new RunHandle(this.#door, { workflowId: this.#workflowId });
    try {
      return await run.query(defineQuery<unknown, unknown>(name), input, options);
    } catch (error) {
      if (!isEverstepError(error, "RUN_NOT_FOUND")) throw error;
    }
    // Nothing has happened to it: its state is known without asking.
    const answer = `answer of view "${name}" of entity "${this.#entity.name}"`;
    const state = encodePayload(this.#entity.initial(this.#key), `initial state of entity "${this.#entity.name}"`);
    const look = this.#entity.views[name] as (state: unknown, input: unknown) => unknown;
    return decodePayload(encodePayload(look(decodePayload(state, "state"), input), answer), answer);
  }
}

function waitOf({ timeout }: UpdateWaitOptions): UpdateWaitOptions {
  return timeout === undefined ? {} : { timeout };
}
