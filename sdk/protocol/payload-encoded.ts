// Payloads that a codec has encoded, and payloads that no codec could decode. Both carry the marker of envelopes, which no
// value of a workflow's can have at its top: a history that was written without codecs is never taken for one with them,
// and a process without codecs never takes an encoded payload for a value.

import { EverstepError } from "./errors.ts";
import type { Payload } from "./payload.ts";
import { MARKER } from "./payload-rich.ts";

const ENCODED_PREFIX = `{"${MARKER}":"encoded",`;
const UNREADABLE_PREFIX = `{"${MARKER}":"unreadable",`;

/** What a chain of codecs made of a payload. */
export interface EncodedPayload {
  /** Names of the codecs, in the order in which they encoded. */
  readonly by: readonly string[];
  /** How the payload's place was named when it was encoded, where there is more than one way. */
  readonly to?: "workflow";
  readonly data: Uint8Array;
}

export function isEncoded(payload: string): boolean {
  return payload.startsWith(ENCODED_PREFIX);
}

export function writeEncoded({ by, to, data }: EncodedPayload): string {
  const { buffer, byteOffset, byteLength } = data;
  const text = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return ENCODED_PREFIX + JSON.stringify({ by, ...(to === undefined ? {} : { to }), data: text }).slice(1);
}

/** Undefined for anything that `writeEncoded` does not write. */
export function readEncoded(payload: string): EncodedPayload | undefined {
  const { by, to, data, ...rest } = parse(payload);
  const isWhole = Array.isArray(by) && by.length > 0 && by.every((name) => typeof name === "string");
  if (!isWhole || typeof data !== "string" || Object.keys(rest).length !== 1) return undefined;
  const bytes = Buffer.from(data, "base64");
  // Buffer skips what is no base64: only what it writes itself has not been touched.
  if (bytes.toString("base64") !== data || (to !== undefined && to !== "workflow")) return undefined;
  return { by: by as string[], ...(to === undefined ? {} : { to }), data: bytes };
}

/** Stands for a payload that could not be decoded, for whoever shows it or blocks the run by it. Never stored. */
export function unreadablePayload(why: string): string {
  return UNREADABLE_PREFIX + JSON.stringify({ why }).slice(1);
}

/** Why a payload can be no value in this process, in a sentence; undefined for one that can. */
export function whyUnreadable(payload: Payload): string | undefined {
  if (payload === null) return undefined;
  if (payload.startsWith(UNREADABLE_PREFIX)) return String(parse(payload).why);
  if (!isEncoded(payload)) return undefined;
  const names =
    readEncoded(payload)
      ?.by.map((name) => `"${name}"`)
      .join(", ") ?? "ones that changed it";
  return `It was encoded by the codecs ${names}; give this process the same \`codecs\`.`;
}

/** Throws PAYLOAD_UNREADABLE, naming `what`, for a payload that can be no value in this process. */
export function refuseUnreadable(payload: Payload, what: string): void {
  const why = whyUnreadable(payload);
  if (why === undefined) return;
  throw new EverstepError("PAYLOAD_UNREADABLE", `${what} cannot be read back: ${why}`, { details: { what } });
}

function parse(payload: string): Record<string, unknown> {
  try {
    return JSON.parse(payload) as Record<string, unknown>;
  } catch {
    return {};
  }
}
