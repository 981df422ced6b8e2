// Attributes and memo that a run is started with, be it by a client or by its parent.

import { type AttributeChanges, decodeAttributes, encodeAttributes, mergeAttributes } from "./attributes.ts";
import { decodeMemoChanges, encodeMemo, mergeMemo } from "./memo.ts";
import type { Payload } from "./payload.ts";

export interface StartData {
  readonly attributes?: AttributeChanges | undefined;
  readonly memo?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * In stored form; null for none. A start that the run could not take is refused here. Throws ARGUMENT_INVALID,
 * PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, naming the `caller`.
 */
export function startData(
  { attributes, memo }: StartData,
  caller: string,
): { readonly attributes: Payload; readonly memo: Payload } {
  return {
    attributes: attributes === undefined ? null : storedAttributes(attributes, `${caller}({ attributes })`),
    memo: memo === undefined ? null : storedMemo(memo, `${caller}({ memo })`),
  };
}

// Merged into nothing to be measured.
function storedAttributes(changes: AttributeChanges, what: string): Payload {
  const stored = encodeAttributes(changes, what);
  mergeAttributes({}, decodeAttributes(stored), what);
  return stored;
}

function storedMemo(changes: Readonly<Record<string, unknown>>, what: string): Payload {
  const stored = encodeMemo(changes, what);
  mergeMemo({}, decodeMemoChanges(stored), what);
  return stored;
}
