// Ids of runs: ULIDs, so that their order is the order of time. Ten digits of five bits tell when, sixteen are chance.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { seededRandom } from "../../sdk/protocol/random.ts";
import { DIGITS, digitAt, NO_DIGIT, nibbleAt } from "./digits.ts";
import type { World } from "./world.ts";

const TIME_DIGITS = 10;
const CHANCE_DIGITS = 16;
const LENGTH = TIME_DIGITS + CHANCE_DIGITS;
const MOST_MS = 2 ** 48 - 1;
const HYPHEN = 45;

/** The id of the fork of `source` that a bulk makes: the same each time, and later than its source. */
export function forkIdOf(bulkId: string, source: string): string {
  const random = seededRandom(`${bulkId} ${source}`);
  const chance = new Uint8Array(CHANCE_DIGITS);
  for (let place = 0; place < CHANCE_DIGITS; place++) chance[place] = Math.floor(random.float() * DIGITS.length);
  return idOf(Math.max(timeOfId(bulkId), timeOfId(source) + 1), chance);
}

/** A place in the order of ids, so long after this one. */
export function idAfter(runId: string, ms: number): string {
  return idOf(timeOfId(runId) + ms, new Uint8Array(CHANCE_DIGITS));
}

/** A new run id; later in order than `after`, whatever this process's clock says. */
export function newRunId({ clock, chance }: Pick<World, "clock" | "chance">, after?: string): string {
  const now = clock.now();
  // From an id and not from `float`, which a test may hold still: of two of its digits for each that is random here.
  const uuid = chance.uuid();
  let read = 0;
  const nextNibble = (): number => {
    if (uuid.charCodeAt(read) === HYPHEN) read++;
    return nibbleAt(uuid, read++);
  };
  for (let place = 0; place < CHANCE_DIGITS; place++) drawn[place] = (nextNibble() << 1) | (nextNibble() >> 3);
  return idOf(after === undefined ? now : Math.max(now, timeOfId(after) + 1), drawn);
}

/** When the id was made, by the clock of whoever made it. */
export function timeOfId(runId: string): number {
  let ms = 0;
  for (let place = 0; place < TIME_DIGITS; place++) {
    const digit = digitAt(runId, place);
    if (digit === NO_DIGIT) throw notAnId(runId);
    ms = ms * DIGITS.length + digit;
  }
  if (runId.length !== LENGTH || ms > MOST_MS) throw notAnId(runId);
  return ms;
}

// Filled anew by each call: one text is made of them at once, where a text that grows by its digits is made of as many.
const drawn = new Uint8Array(CHANCE_DIGITS);
const text = Buffer.alloc(LENGTH);
let writtenMs = -1;

/** `chance`: values of digits, the last digit's first. */
function idOf(ms: number, chance: Uint8Array): string {
  if (ms !== writtenMs) writeTime(ms);
  for (let place = 0; place < CHANCE_DIGITS; place++) {
    text[LENGTH - 1 - place] = DIGITS.charCodeAt(chance[place] ?? 0);
  }
  return text.toString("latin1");
}

/** Many ids are made in one millisecond. */
function writeTime(ms: number): void {
  if (!(Number.isInteger(ms) && ms >= 0 && ms <= MOST_MS)) {
    throw new EverstepError("INVARIANT_BROKEN", `Invariant broken: ids of runs are made at times, not at ${ms}.`);
  }
  let rest = ms;
  for (let place = TIME_DIGITS - 1; place >= 0; place--) {
    text[place] = DIGITS.charCodeAt(rest % DIGITS.length);
    rest = Math.floor(rest / DIGITS.length);
  }
  writtenMs = ms;
}

function notAnId(runId: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", `"${runId}" is not a run id.`, { details: { runId } });
}
