// Questions to a run: answered from its state, leaving no trace.

import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { decodePayload } from "../protocol/payload.ts";
import { RESERVED_PREFIX } from "../protocol/pending-work.ts";
import {
  assertSchema,
  parseWith,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from "../protocol/standard-schema.ts";
import { requireRun } from "./ambient.ts";

declare const ANSWER: unique symbol;
declare const INPUT: unique symbol;

/** A question with a typed input and answer. Asked with `run.query(definition, input)`. */
export interface QueryDefinition<Answer, Input = void, Parsed = Input, Returned = Answer> {
  readonly name: string;
  readonly [ANSWER]?: Answer;
  readonly [INPUT]?: Input;
  /** What inputs are checked by: before the question is put, and again before the handler gets them. */
  readonly schema?: StandardSchema;
  /**
   * Registers how the current run answers. The handler must answer at once (no promise) and change nothing; asking for
   * a step, a timer or a condition in it throws COMMAND_IN_READ_ONLY. A later handler replaces an earlier one.
   *
   * Throws OUTSIDE_WORKFLOW where no run is.
   */
  handle(answer: (input: Parsed) => Returned): void;
}

/**
 * Defines a query by name. Answers must be storable, like step results. With an `input` schema the client refuses to put the
 * question with another input, and the handler gets what the schema makes of it. An answer that does not fit the `output`
 * schema fails the query; without one, the answer of a query that has an `input` schema is of unknown type.
 *
 * Throws ARGUMENT_INVALID for an unusable name or schema, and for a name that begins with "everstep.": those are reserved.
 */
export function defineQuery<In extends StandardSchema, Out extends StandardSchema = StandardSchema>(
  name: string,
  options: { readonly input: In; readonly output?: Out },
): QueryDefinition<SchemaOutput<Out>, SchemaInput<In>, SchemaOutput<In>, SchemaInput<Out>>;
export function defineQuery<Answer, Input = void>(name: string): QueryDefinition<Answer, Input>;
export function defineQuery(
  name: string,
  { input: schema, output }: { readonly input?: StandardSchema; readonly output?: StandardSchema } = {},
): QueryDefinition<unknown, unknown> {
  assertName(name, "defineQuery(name)");
  if (name.startsWith(RESERVED_PREFIX)) {
    const message = `defineQuery(name): names that begin with "${RESERVED_PREFIX}" are reserved; got "${name}". Choose another.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "name" } });
  }
  assertSchema(schema, "defineQuery({ input })");
  assertSchema(output, "defineQuery({ output })");
  const what = `input of query "${name}"`;
  return {
    name,
    ...(schema === undefined ? {} : { schema }),
    handle(answer) {
      const { run } = requireRun(`query "${name}".handle()`);
      run.handleQuery(name, (input) => {
        const given = answer(parseWith(schema, decodePayload(input, what), what));
        // A promise is refused by whoever asks.
        return given instanceof Promise ? given : parseWith(output, given, `answer of query "${name}"`);
      });
    },
  };
}
