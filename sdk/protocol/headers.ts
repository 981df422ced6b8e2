// What a run carries along for whoever stands around its code: trace ids, tenants, locales. Strings by name, given at the
// start, part of the history's first event, the same for ever.

import { EverstepError } from "./errors.ts";
import { assertName } from "./names.ts";

/** Names and values as they were given: nothing is folded to lower case. */
export type RunHeaders = Readonly<Record<string, string>>;

export const NO_HEADERS: RunHeaders = Object.freeze({});

export const MAX_HEADERS = 16;
/** Of all names and values together, in UTF-8. */
export const MAX_HEADER_BYTES = 8_192;

// Headers travel on into logs and the headers of other protocols, which bear neither.
const REFUSED = /[\p{Cc}\p{Cs}]/u;

/** A copy that nobody can change; undefined for none. Throws ARGUMENT_INVALID for what cannot be headers, or is too much. */
export function checkedHeaders(given: unknown, what: string): RunHeaders | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(what, "takes an object of strings by name");
  }
  const entries = Object.entries(given);
  let bytes = 0;
  for (const [name, value] of entries) {
    assertName(name, `a name in ${what}`);
    if (typeof value !== "string") throw invalid(what, `takes strings; "${name}" is ${kindOf(value)}`);
    if (REFUSED.test(value)) {
      throw invalid(what, `takes Unicode text without control characters; "${name}" is none`);
    }
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  }
  if (entries.length > MAX_HEADERS) {
    throw invalid(what, `takes at most ${MAX_HEADERS} headers; got ${entries.length}`);
  }
  if (bytes > MAX_HEADER_BYTES) {
    throw invalid(what, `takes at most ${MAX_HEADER_BYTES} bytes of names and values; got ${bytes}`);
  }
  return entries.length === 0 ? undefined : Object.freeze({ ...(given as RunHeaders) });
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}

function invalid(what: string, why: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", `${what} ${why}.`, { details: { argument: what } });
}
