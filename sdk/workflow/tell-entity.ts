// Operations of entities, asked for by workflows: sent like any mail to another run, and answered by nothing.

import { encodeChecked } from "../protocol/checked-payload.ts";
import { isEverstepError } from "../protocol/errors.ts";
import { requireRun } from "./ambient.ts";
import { startChild } from "./child.ts";
import type { AnyEntity, InputOf } from "./entity.ts";
import { TELL } from "./entity-run.ts";
import { externalRun } from "./external.ts";

/** The operations of an entity, as workflow code can ask for them. */
// Of a condition an editor shows what it comes to, not what it was made of.
export type ToldEntity<Of extends AnyEntity> = Of extends AnyEntity
  ? {
      readonly [Name in keyof Of["operations"]]: (
        ...given: InputArguments<InputOf<Of["operations"][Name]>>
      ) => Promise<void>;
    }
  : never;

type InputArguments<Input> = undefined extends Input ? [input?: Input] : [input: Input];

/**
 * In workflow code: the entity with this key, to be told what to do. An operation resolves when it is in the entity's mailbox;
 * it is performed once, in its place among all others, and its result and its failure reach nobody: a failure is logged. An
 * entity that is not there yet is started, on its own queue and with nothing of this run's but the headers.
 *
 * Throws ARGUMENT_INVALID for what cannot be a key. An operation throws OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY, ARGUMENT_INVALID,
 * PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, and rejects with `CanceledFailure` when this run is canceled.
 */
export function tellEntity<Of extends AnyEntity>(entity: Of, key: string): ToldEntity<Of> {
  entity.workflowId(key);
  const told = Object.entries(entity.operations).map(([operation, { schema }]) => {
    const what = `input of operation "${operation}" of entity "${entity.name}"`;
    const call = async (input: unknown): Promise<void> => {
      requireRun(`tellEntity().${operation}()`);
      encodeChecked(schema, input, what);
      await tell(entity, key, { operation, input });
    };
    return [operation, call];
  });
  return Object.fromEntries(told) as ToldEntity<Of>;
}

async function tell(entity: AnyEntity, key: string, told: { operation: string; input: unknown }): Promise<void> {
  const id = entity.workflowId(key);
  for (;;) {
    try {
      return await externalRun(id).signal(TELL, told);
    } catch (error) {
      if (!isEverstepError(error, "RUN_NOT_FOUND") && !isEverstepError(error, "RUN_CLOSED")) throw error;
    }
    try {
      const { workflow, queue } = entity;
      await startChild(workflow, { id, queue, input: { key }, parentClosePolicy: "abandon", onCancel: "abandon" })
        .started;
    } catch (error) {
      // Somebody else was first.
      if (!isEverstepError(error, "RUN_ALREADY_STARTED")) throw error;
    }
  }
}
