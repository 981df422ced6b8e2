// Questions to a run: answered from its state, leaving no trace.

import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { decodePayload } from "../protocol/payload.ts";
import { RESERVED_PREFIX } from "../protocol/pending-work.ts";
import { requireRun } from "./ambient.ts";

declare const ANSWER: unique symbol;
declare const INPUT: unique symbol;

/** A question with a typed input and answer. Asked with `run.query(definition, input)`. */
export interface QueryDefinition<Answer, Input = void> {
  readonly name: string;
  readonly [ANSWER]?: Answer;
  readonly [INPUT]?: Input;
  /**
   * Registers how the current run answers. The handler must answer at once (no promise) and change nothing; asking for
   * a step, a timer or a condition in it throws COMMAND_IN_READ_ONLY. A later handler replaces an earlier one.
   *
   * Throws OUTSIDE_WORKFLOW where no run is.
   */
  handle(answer: (input: Input) => Answer): void;
}

/**
 * Defines a query by name. Answers must be storable, like step results.
 *
 * Throws ARGUMENT_INVALID for an unusable name, and for one that begins with "everstep.": those are reserved.
 */
export function defineQuery<Answer, Input = void>(name: string): QueryDefinition<Answer, Input> {
  assertName(name, "defineQuery(name)");
  if (name.startsWith(RESERVED_PREFIX)) {
    const message = `defineQuery(name): names that begin with "${RESERVED_PREFIX}" are reserved; got "${name}". Choose another.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "name" } });
  }
  return {
    name,
    handle(answer) {
      const { run } = requireRun(`query "${name}".handle()`);
      run.handleQuery(name, (input) => answer(decodePayload(input, `input of query "${name}"`) as Input));
    },
  };
}
