// Values in stored form. Plain values are plain JSON, readable in psql and by any other program; what JSON would lose
// (Date, Map, Set, BigInt, undefined, NaN, Error, bytes, URL) is kept in a marked envelope. What cannot be kept whole is
// refused at once, with its path: nothing is dropped or changed in silence.

import { EverstepError } from "./errors.ts";
import { hashHex } from "./hash.ts";
import { refuseUnreadable } from "./payload-encoded.ts";
import { MARKER, readRich, withoutStacks, writeRich } from "./payload-rich.ts";
import { type SnapshotLimits, takeSnapshot, tooLarge } from "./payload-snapshot.ts";

/** A value in stored form: JSON text without raw control characters (below U+0020), or null for `undefined`. */
export type Payload = string | null;

export interface PayloadLimits extends SnapshotLimits {
  /** As `maxValues`, for payloads that need the rich form, which costs more per value to write and read. */
  readonly maxRichValues: number;
}

/** 2 MiB of UTF-8, 200 levels, a million values (100,000 in the rich form). */
export const PAYLOAD_LIMITS: PayloadLimits = {
  maxBytes: 2 * 1024 * 1024,
  maxDepth: 200,
  maxValues: 1_000_000,
  maxRichValues: 100_000,
};

/**
 * The stored form of a value. `what` names the value in messages and starts its paths: "result", "input".
 *
 * Kept as they are: everything JSON keeps, and `undefined`, NaN, ±Infinity, -0, BigInt (up to 10,000 digits), Date, Map,
 * Set, URL, Buffer, ArrayBuffer and its views, and Error with name, message, stack, cause, `errors` and own enumerable
 * fields (the language's own error classes come back as such, others as Error with their name). Any other object that
 * has a `toJSON` method is stored, as by JSON.stringify, as what that returns. As in JSON, shared references come back
 * as copies, symbol keys and extra properties of arrays are left out, and objects without a prototype come back with
 * the usual one; holes in arrays become undefined.
 *
 * Throws PAYLOAD_UNSERIALIZABLE, naming the path, for functions, symbols, cycles, promises, RegExps, invalid Dates,
 * instances of any other class, getters that throw, and nesting or numbers of values past the limits;
 * PAYLOAD_TOO_LARGE past `maxBytes`.
 */
export function encodePayload(value: unknown, what: string, limits?: Partial<PayloadLimits>): Payload {
  if (value === undefined) return null;
  const bounds = limits === undefined ? PAYLOAD_LIMITS : { ...PAYLOAD_LIMITS, ...limits };
  const { copy, isPlain, values } = takeSnapshot(value, what, bounds);
  if (isPlain && !hasMarker(copy)) return checkSize(JSON.stringify(copy), what, bounds.maxBytes);
  if (values > bounds.maxRichValues) {
    throw new EverstepError(
      "PAYLOAD_UNSERIALIZABLE",
      `${what} cannot be stored: it holds ${values} values, some of them more than plain JSON, for which the limit is ${bounds.maxRichValues}. Store it as plain JSON or bytes, or keep it elsewhere and pass a reference.`,
      { details: { path: what, values } },
    );
  }
  return checkSize(writeRich(copy), what, bounds.maxBytes);
}

/**
 * The value of a stored form that is plain JSON, as nearly all are; undefined for any other, and for what cannot be read: then
 * `decodePayload` gives it, or says what is wrong with it. Nobody has to find a name for the value first.
 */
export function decodePlain(payload: Payload): unknown {
  if (payload === null || payload.startsWith(MARKED)) return undefined;
  try {
    const parsed: unknown = JSON.parse(payload);
    return hasMarker(parsed) ? undefined : parsed;
  } catch {
    return undefined;
  }
}

/** How every form begins that this release does not read as plain JSON. */
const MARKED = `{"${MARKER}":`;

/**
 * The value of a stored form. `what` names it in messages. Throws PAYLOAD_UNREADABLE for anything that `encodePayload`
 * does not write; ends soon on any text, however hostile.
 */
export function decodePayload(payload: Payload, what: string): unknown {
  if (payload === null) return undefined;
  refuseUnreadable(payload, what);
  try {
    const parsed: unknown = JSON.parse(payload);
    return hasMarker(parsed) ? readRich(parsed) : parsed;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EverstepError(
      "PAYLOAD_UNREADABLE",
      `${what} cannot be read back: ${reason.slice(0, 200)}. It was written by something else than this release's encoder, or changed since.`,
      { cause: error, details: { what, start: payload.slice(0, 100) } },
    );
  }
}

/**
 * Sixteen hex characters that tell stored inputs apart; not cryptographic. Keys count in their order: the same code
 * builds the same value in the same order, and sorting would cost more than it finds. Stacks of errors do not count.
 */
export function hashPayload(payload: Payload): string {
  return payload === null ? hashHex("", 1) : hashHex(withoutStacks(payload));
}

function hasMarker(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.hasOwn(value, MARKER) && !Array.isArray(value);
}

// A UTF-16 unit takes one to three bytes of UTF-8: most texts are settled by their length.
function checkSize(text: string, what: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw tooLarge(what, `${bytes}`, maxBytes);
  return text;
}
