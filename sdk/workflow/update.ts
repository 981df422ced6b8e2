// Requests that change a run and are answered: stored first like a signal, answered like a query.

import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import {
  assertSchema,
  parseWith,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from "../protocol/standard-schema.ts";
import { requireRun } from "./ambient.ts";
import { type HandlerOptions, unfinishedPolicy } from "./handlers.ts";

declare const RESULT: unique symbol;
declare const INPUT: unique symbol;

export interface UpdateOptions<Input> extends HandlerOptions {
  /**
   * Looks at the input and at the run's state, and throws to reject the update: then nothing of it is in the history, and
   * the sender gets UPDATE_REJECTED with what was thrown as its `cause`. It decides at once, changes nothing, and is not
   * called at replay; asking for a step, a timer or a condition in it throws COMMAND_IN_READ_ONLY.
   */
  readonly validate?: (input: Input) => void;
}

/** A request with a typed input and result. Sent with `run.update(definition, input)`. */
export interface UpdateDefinition<Result, Input = void, Parsed = Input, Returned = Result> {
  readonly kind: "update";
  readonly name: string;
  readonly [RESULT]?: Result;
  readonly [INPUT]?: Input;
  /** What inputs are checked by: before they are sent, and again before the validator and the handler get them. */
  readonly schema?: StandardSchema;

  /**
   * Registers how the current run handles updates of this name; what the handler returns is the sender's answer and must
   * be storable. An async handler may use steps and timers; it runs beside the main function. An error it throws fails the
   * update and nothing else. A later handler replaces an earlier one. The run does not wait for a handler before it
   * closes: see `allHandlersFinished`.
   *
   * An update that comes before there is a handler of its name is refused (UPDATE_UNKNOWN), so register them before the
   * first `await`: updates that were sent before the first line are looked at after the code has run up to there.
   *
   * Throws ARGUMENT_INVALID, and OUTSIDE_WORKFLOW where no run is.
   */
  handle(handler: (input: Parsed) => Returned | Promise<Returned>, options?: UpdateOptions<Parsed>): void;
}

/**
 * Defines an update by name. With an `input` schema the client refuses to send another input, and the run rejects one that
 * was stored all the same (UPDATE_REJECTED). The stored input is what was sent; validator and handler get what the schema
 * makes of it. With an `output` schema a result that does not fit fails the update, and the sender gets what the schema makes
 * of it; without one, the result of an update that has an `input` schema is of unknown type.
 *
 * Throws ARGUMENT_INVALID for an unusable name or schema.
 */
export function defineUpdate<In extends StandardSchema, Out extends StandardSchema = StandardSchema>(
  name: string,
  options: { readonly input: In; readonly output?: Out },
): UpdateDefinition<SchemaOutput<Out>, SchemaInput<In>, SchemaOutput<In>, SchemaInput<Out>>;
export function defineUpdate<Result, Input = void>(name: string): UpdateDefinition<Result, Input>;
export function defineUpdate(
  name: string,
  { input: schema, output }: { readonly input?: StandardSchema; readonly output?: StandardSchema } = {},
): UpdateDefinition<unknown, unknown> {
  assertName(name, "defineUpdate(name)");
  assertSchema(schema, "defineUpdate({ input })");
  assertSchema(output, "defineUpdate({ output })");
  const caller = `update "${name}".handle()`;
  const parse = (input: unknown) => parseWith(schema, input, `input of update "${name}"`);
  const parseResult = (result: unknown) => parseWith(output, result, `result of update "${name}"`);
  return {
    kind: "update",
    name,
    ...(schema === undefined ? {} : { schema }),
    handle(handler, options) {
      requireFunction(handler, caller, "handler");
      const validate = options?.validate;
      if (validate !== undefined) requireFunction(validate, caller, "validate");
      requireRun(caller).run.handleUpdate(name, {
        validate(input) {
          const parsed = parse(input);
          return validate?.(parsed);
        },
        run(input) {
          const returned = handler(parse(input));
          return returned instanceof Promise ? returned.then(parseResult) : parseResult(returned);
        },
        onUnfinished: unfinishedPolicy(options, caller),
      });
    },
  };
}

function requireFunction(value: unknown, caller: string, argument: string): void {
  if (typeof value === "function") return;
  const message = `${caller} takes a function as ${argument}; got ${typeof value}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}
