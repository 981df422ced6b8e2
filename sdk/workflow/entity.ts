// State under a key, with operations that change it one after the other. An entity is a workflow whose runs are started by
// the first operation, take operations as updates, and continue as new when their history is long.

import type { Duration } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName, assertWorkflowId } from "../protocol/names.ts";
import { DEFAULT_QUEUE } from "../protocol/run.ts";
import { assertSchema, type SchemaInput, type SchemaOutput, type StandardSchema } from "../protocol/standard-schema.ts";
import { type EntityInput, EntityRun } from "./entity-run.ts";
import { defineQuery } from "./query.ts";
import { type Workflow, workflow } from "./workflow.ts";

/** Changes the state in place, and answers. `schema`: what inputs are checked by. */
export interface Operation<State> {
  (state: State, input: never): unknown;
  readonly schema?: StandardSchema;
}

export type Operations<State> = Readonly<Record<string, Operation<State>>>;

/** Look at the state and answer at once. */
export type Views<State> = Readonly<Record<string, (state: State, input: never) => unknown>>;

export interface EntityOptions<State extends object, Known extends Operations<State>, Looks extends Views<State>> {
  /**
   * The state of an entity that no operation has changed yet. Workflow code, as everything here: what it makes depends on
   * the key alone, and must be storable.
   */
  readonly initial: (key: string) => State;
  /**
   * By name: what changes the state, with steps, timers and all else that workflow code may do. Of one key one operation is
   * under way at a time, in the order in which they were stored. It changes `state` in place; when it throws, nothing of that
   * remains. What it returns is its caller's answer, and must be storable; so must the state.
   */
  readonly operations: Known;
  /** By name: what is asked of the state that completed operations have left, without waiting for one that is under way. */
  readonly views?: Looks & Views<State>;
  /** Whose workers execute it. Default "default". */
  readonly queue?: string;
  /** How long runs of it are kept after the entity has ended: see `workflow`. Default: for ever. */
  readonly retention?: Duration;
}

/** A kind of entities, with the types of its operations and views. */
export interface Entity<Known extends Operations<never>, Looks extends Views<never>> {
  readonly name: string;
  /** What a worker is given. Its runs are started by operations: never start it yourself. */
  readonly workflow: Workflow<EntityInput, void>;
  readonly queue: string;
  readonly initial: (key: string) => object;
  readonly operations: Known;
  readonly views: Looks;
  /**
   * The workflow id of the entity with this key, by which its run is described, canceled, terminated or found.
   *
   * Throws ARGUMENT_INVALID for what cannot be a key.
   */
  workflowId(key: string): string;
}

/** Any entity, whatever its types. */
export type AnyEntity = Entity<Operations<never>, Views<never>>;

/** What is given to an operation or a view beside the state; undefined for nothing. */
export type InputOf<Of> = Of extends { readonly schema: infer Schema extends StandardSchema }
  ? SchemaInput<Schema>
  : Of extends (state: never, ...rest: infer Rest) => unknown
    ? Rest extends readonly []
      ? undefined
      : Rest[0]
    : never;

/**
 * Defines entities: under each key a state, and operations that change it, one at a time, whoever calls them from wherever. An
 * entity comes into being by its first operation (`client.entity(cart, "user-7").add(item)`), costs no memory while nothing
 * happens to it, and lives until an operation calls `endEntity`.
 *
 * Each operation works on a copy of the state, which takes the place of the state when it has returned: that costs time in
 * proportion to the state, for each operation and each view. `name` identifies it in the database, and has no "/".
 *
 * Throws ARGUMENT_INVALID for an unusable name, function, queue or retention, and for a view with the name of an operation.
 */
export function entity<
  State extends object,
  Known extends Operations<State>,
  Looks extends Views<State> = Record<never, never>,
>(name: string, options: EntityOptions<State, Known, Looks>): Entity<Known, Looks> {
  assertName(name, "entity(name)");
  if (name.includes("/")) throw invalid(`entity(name) has no "/": it stands before the key; got "${name}".`, "name");
  const { initial, operations, views = {} as Looks, queue = DEFAULT_QUEUE, retention } = options;
  assertName(queue, "entity({ queue })");
  requireFunction(initial, `entity("${name}", { initial })`);
  for (const [kind, functions] of Object.entries({ operations, views })) {
    for (const [each, body] of Object.entries(functions)) {
      const what = `entity("${name}", { ${kind}: { ${each} } })`;
      assertName(each, what);
      if (kind === "views") defineQuery(each);
      requireFunction(body, what);
      if (each === "then")
        throw invalid(`${what}: nothing may be called "then", or the entity would be a promise.`, each);
    }
  }
  const both = Object.keys(views).find((each) => Object.hasOwn(operations, each));
  if (both !== undefined) throw invalid(`entity("${name}") has both an operation and a view "${both}".`, both);

  const definition: Entity<Known, Looks> = {
    name,
    workflow: workflow<EntityInput, void>(
      name,
      (input) => new EntityRun(definition, input).run(),
      retention === undefined ? {} : { retention },
    ),
    queue,
    initial,
    operations,
    views,
    workflowId(key) {
      assertWorkflowId(key, `key of entity "${name}"`);
      const workflowId = `${name}/${key}`;
      assertWorkflowId(workflowId, `key of entity "${name}", with its name,`);
      return workflowId;
    },
  };
  return definition;
}

/** An operation whose input is checked by a schema. */
export interface CheckedOperation<State, Schema extends StandardSchema, Result> {
  (state: State, input: SchemaOutput<Schema>): Result;
  readonly schema: Schema;
}

/**
 * An operation of an entity whose input is what `schema` says: the client refuses another, and one that was stored all the
 * same is rejected (UPDATE_REJECTED). The stored input is what was sent; `run` gets what the schema makes of it.
 *
 * Throws ARGUMENT_INVALID for what is no schema, and no function.
 */
export function operation<State extends object, Schema extends StandardSchema, Result>(
  schema: Schema,
  run: (state: State, input: SchemaOutput<Schema>) => Result,
): CheckedOperation<State, StandardSchema<SchemaInput<Schema>, SchemaOutput<Schema>>, Result> {
  assertSchema(schema, "operation(schema)");
  requireFunction(run, "operation(schema, run)");
  return Object.assign((state: State, input: SchemaOutput<Schema>) => run(state, input), { schema });
}

function requireFunction(value: unknown, what: string): void {
  if (typeof value !== "function") throw invalid(`${what} takes a function; got ${typeof value}.`, what);
}

function invalid(message: string, argument: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}
