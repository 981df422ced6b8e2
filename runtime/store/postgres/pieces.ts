// Many rows, as pieces that are each small enough for one statement.

import type { EventRecord } from "../../../sdk/protocol/event-record.ts";
import type { Payload } from "../../../sdk/protocol/payload.ts";

const MOST_ROWS = 1_000;
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** In order. What is larger than a piece may be is one by itself. */
export function* pieces<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Generator<readonly Item[]> {
  let piece: Item[] = [];
  let size = 0;
  for (const item of items) {
    if (piece.length >= MOST_ROWS || (piece.length > 0 && size + sizeOf(item) > MOST_CHARACTERS)) {
      yield piece;
      [piece, size] = [[], 0];
    }
    piece.push(item);
    size += sizeOf(item);
  }
  if (piece.length > 0) yield piece;
}

export function sizeOfEvent({ payload, data }: EventRecord): number {
  return (payload?.length ?? 0) + (data?.length ?? 0);
}

export function sizeOfMail({ payload }: { readonly payload: Payload }): number {
  return payload?.length ?? 0;
}
