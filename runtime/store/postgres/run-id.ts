// A run id is a ULID in the API and a uuid column in the database: the same 128 bits, 16 bytes instead of 27 per index
// entry, and in the same order.

import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { DIGITS, digitAt, NO_DIGIT, nibbleAt } from "../../world/digits.ts";

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** The id as uuid input (32 hex digits); null when it is not a run id at all, so names no run. */
export function tryUuidOf(runId: string): string | null {
  return ULID.test(runId) ? uuidOf(runId) : null;
}

/** For ids that this process got from the store or made itself. */
export function uuidOf(runId: string): string {
  let rest = digitOf(runId, 0);
  if (runId.length !== 26 || rest > 7) throw badRunId(runId);
  let bits = 3; // 26 digits hold 130 bits; the first one holds only three
  let filled = 0;
  for (let place = 1; place < 26; place++) {
    rest = (rest << 5) | digitOf(runId, place);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[filled++] = rest >> bits;
    rest &= (1 << bits) - 1;
  }
  return bytes.toString("hex");
}

/** From what Postgres prints for a uuid. */
export function runIdOf(uuid: string): string {
  let rest = 0;
  let bits = 2;
  let written = 0;
  for (let place = 0; place < uuid.length; place++) {
    const nibble = nibbleAt(uuid, place);
    if (nibble === NO_DIGIT) continue; // a hyphen
    rest = (rest << 4) | nibble;
    bits += 4;
    if (bits < 5) continue;
    bits -= 5;
    text[written++] = DIGITS.charCodeAt(rest >> bits);
    rest &= (1 << bits) - 1;
  }
  return text.toString("latin1", 0, written);
}

// Filled anew by each call: one text is made of them at once, where a text that grows by its digits is made of as many.
const bytes = Buffer.alloc(16);
const text = Buffer.alloc(26);

function digitOf(runId: string, place: number): number {
  const digit = digitAt(runId, place);
  if (digit === NO_DIGIT) throw badRunId(runId);
  return digit;
}

function badRunId(runId: string): EverstepError {
  return new EverstepError(
    "STORE_REJECTED",
    `"${runId}" is not a run id: run ids are ULIDs of 26 capital letters and digits.`,
  );
}
