// A run id is a ULID in the API and a uuid column in the database: the same 128 bits, 16 bytes instead of 27 per index
// entry, and in the same order.

import { EverstepError } from "../../../sdk/protocol/errors.ts";

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const HEX = "0123456789abcdef";
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

const digitOf = reverse(DIGITS);
const nibbleOf = reverse(HEX);

/** The id as uuid input (32 hex digits); null when it is not a run id at all, so names no run. */
export function tryUuidOf(runId: string): string | null {
  return ULID.test(runId) ? uuidOf(runId) : null;
}

/** For ids that this process got from the store or made itself. Those in use come again and again: they are kept. */
export function uuidOf(runId: string): string {
  const known = recent.get(runId);
  if (known !== undefined) return known;
  const uuid = convert(runId);
  if (recent.size >= MOST_RECENT) recent.clear();
  recent.set(runId, uuid);
  return uuid;
}

const MOST_RECENT = 20_000;
const recent = new Map<string, string>();

function convert(runId: string): string {
  if (runId.length !== 26) throw badRunId(runId);
  let hex = "";
  let rest = digitOf[runId.charCodeAt(0)] ?? 8;
  if (rest > 7) throw badRunId(runId);
  let bits = 3; // 26 digits hold 130 bits; the first one holds only three
  for (let i = 1; i < 26; i++) {
    const digit = digitOf[runId.charCodeAt(i)];
    if (digit === undefined || digit < 0) throw badRunId(runId);
    rest = (rest << 5) | digit;
    bits += 5;
    while (bits >= 4) {
      bits -= 4;
      hex += HEX[rest >> bits];
      rest &= (1 << bits) - 1;
    }
  }
  return hex;
}

/** From what Postgres prints for a uuid. */
export function runIdOf(uuid: string): string {
  let text = "";
  let rest = 0;
  let bits = 2;
  for (let i = 0; i < uuid.length; i++) {
    const nibble = nibbleOf[uuid.charCodeAt(i)];
    if (nibble === undefined || nibble < 0) continue; // a hyphen
    rest = (rest << 4) | nibble;
    bits += 4;
    if (bits >= 5) {
      bits -= 5;
      text += DIGITS[rest >> bits];
      rest &= (1 << bits) - 1;
    }
  }
  return text;
}

function reverse(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(-1);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  return values;
}

function badRunId(runId: string): EverstepError {
  return new EverstepError(
    "STORE_REJECTED",
    `"${runId}" is not a run id: run ids are ULIDs of 26 capital letters and digits.`,
  );
}
