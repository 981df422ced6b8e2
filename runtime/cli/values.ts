// Values on the command line: in, they are JSON; out, they are JSON too, with what JSON has no word for said as plainly as
// it can be.

import { type Duration, toMs } from "../../sdk/protocol/duration.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";

/** The value of a JSON text; undefined when none was given. `option` names it. Throws ARGUMENT_INVALID. */
export function parseValue(json: string | undefined, option: string): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${option} takes JSON, as in '{"name":"Ann"}', '"text"' or 42: ${reason}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: option } });
  }
}

/** Milliseconds of a duration such as "30s"; undefined when none was given. Throws ARGUMENT_INVALID. */
export function parseDuration(text: string | undefined, option: string): number | undefined {
  return text === undefined ? undefined : toMs(text as Duration, option);
}

/** JSON on one line. A BigInt is its digits, a Map an array of entries, a Set an array, undefined null. */
export function formatJson(value: unknown, indent = 0): string {
  const replace = (_: string, each: unknown): unknown => {
    if (typeof each === "bigint") return each.toString();
    if (each instanceof Map || each instanceof Set) return [...each];
    if (each instanceof Error) return { name: each.name, message: each.message };
    return each;
  };
  return JSON.stringify(value, replace, indent) ?? "null";
}
