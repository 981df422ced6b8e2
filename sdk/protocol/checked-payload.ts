// What is sent to a run whose definition has a schema: refused by the sender where it does not fit.

import { encodePayload, type Payload } from "./payload.ts";
import { parseWith, type StandardSchema } from "./standard-schema.ts";

/**
 * The stored form of a value that fits the schema, as it was given: what the schema makes of it is made where the code
 * gets it, so that it is the same whoever sent it. Throws ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE.
 */
export function encodeChecked(schema: StandardSchema | undefined, value: unknown, what: string): Payload {
  parseWith(schema, value, what);
  return encodePayload(value, what);
}
