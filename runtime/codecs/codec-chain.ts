// The codecs of one process, in order. A payload goes through all of them on its way into the store, and back through
// those that its envelope names. What a codec throws becomes one of two things: it can never be read (PAYLOAD_UNREADABLE),
// or trying again may help (CODEC_FAILED). A codec that does not answer is given up on.

import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { isEncoded, readEncoded, whyUnreadable, writeEncoded } from "../../sdk/protocol/payload-encoded.ts";
import { runOutsideRuns } from "../../sdk/workflow/ambient.ts";
import type { Clock } from "../world/world.ts";
import type { PayloadCodec, PayloadPlace } from "./payload-codec.ts";

/** Longest encoded form, in characters. Encoded as base64, what is as large as a payload may be has room. */
export const MAX_ENCODED_LENGTH = 4 * 1024 * 1024;
const ANSWER_WITHIN_MS = 10_000;
const PLAIN: { readonly by: readonly string[]; readonly data: null } = { by: [], data: null };
const NAME = /^[A-Za-z0-9-]{1,50}$/;

export class CodecChain {
  readonly #codecs: readonly PayloadCodec[];
  readonly #byName: ReadonlyMap<string, PayloadCodec>;
  readonly #clock: Clock;

  /** Throws CONFIGURATION_INVALID for codecs without a name of their own. */
  constructor(codecs: readonly PayloadCodec[], clock: Clock) {
    this.#codecs = codecs;
    this.#byName = new Map(codecs.map((codec) => [codec.name, codec]));
    this.#clock = clock;
    const unnamed = codecs.find(({ name }) => typeof name !== "string" || !NAME.test(name));
    if (unnamed === undefined && this.#byName.size === codecs.length) return;
    const message =
      "`codecs` takes codecs with names that differ, of letters, digits and dashes: payloads find their codec by it.";
    throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "codecs" } });
  }

  /** The form to store. Rejects with CODEC_FAILED, or PAYLOAD_TOO_LARGE. */
  async encode(payload: Payload, place: PayloadPlace): Promise<Payload> {
    if (payload === null && !this.#codecs.some((codec) => codec.requires?.(place))) return null;
    if (payload !== null && whyUnreadable(payload) !== undefined) {
      // What could not be decoded must not take the place of what was stored.
      throw new EverstepError("INVARIANT_BROKEN", `Invariant broken: ${place.what} encoded twice. Please report this.`);
    }
    const by: string[] = [];
    let bytes: Uint8Array = Buffer.from(payload ?? "");
    for (const codec of this.#codecs) {
      const encoded = await this.#ask(codec, place, "encode", () => codec.encode(bytes, place));
      if (encoded === undefined) continue;
      by.push(codec.name);
      bytes = encoded;
    }
    if (by.length === 0) return payload;
    const to = place.owner !== null && "workflowId" in place.owner ? ({ to: "workflow" } as const) : {};
    return checkLength(writeEncoded({ by, data: bytes, ...to }), place);
  }

  /** The payload that was encoded. Rejects with PAYLOAD_UNREADABLE or CODEC_FAILED. */
  async decode(payload: Payload, place: PayloadPlace): Promise<Payload> {
    const encoded = payload !== null && isEncoded(payload) ? readEncoded(payload) : PLAIN;
    if (encoded === undefined) throw unreadable(place, "its envelope was changed");
    const missing = this.#codecs.find((codec) => codec.requires?.(place) && !encoded.by.includes(codec.name));
    if (missing !== undefined) {
      throw unreadable(place, `it was not encoded by "${missing.name}", which this process requires`);
    }
    if (encoded.data === null) return payload;
    let bytes: Uint8Array = encoded.data;
    for (const name of [...encoded.by].reverse()) {
      const codec = this.#byName.get(name);
      if (codec === undefined) {
        const known = [...this.#byName.keys()].map((each) => `"${each}"`).join(", ") || "none";
        throw unreadable(place, `it was encoded by "${name}", which is not among this process's \`codecs\` (${known})`);
      }
      bytes = await this.#ask(codec, place, "decode", () => codec.decode(bytes, place));
    }
    return bytes.byteLength === 0 ? null : textOf(bytes, place);
  }

  get canForget(): boolean {
    return this.#codecs.some(({ forget }) => forget !== undefined);
  }

  /** Whether a payload that was encoded by codecs of these names may need what `forget` lets go of. */
  isKeptElsewhere(by: readonly string[]): boolean {
    return by.some((name) => this.#byName.get(name)?.forget !== undefined);
  }

  /** Rejects with what a codec threw. */
  async forget(runId: string): Promise<void> {
    for (const codec of this.#codecs) await this.#inTime(runOutsideRuns(async () => codec.forget?.(runId)));
  }

  async #ask<T>(codec: PayloadCodec, place: PayloadPlace, verb: string, call: () => T | Promise<T>): Promise<T> {
    try {
      // A commit is begun wherever a run has something to say: the codec shall not meet that run's clock and guards.
      const answer = runOutsideRuns(call);
      return answer instanceof Promise ? await this.#inTime(answer) : answer;
    } catch (error) {
      if (isEverstepError(error) && !error.retryable) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      const message = `Codec "${codec.name}" could not ${verb} ${describePlace(place)}: ${reason}. It is asked again; see what it depends on.`;
      throw new EverstepError("CODEC_FAILED", message, { cause: error, details: { codec: codec.name } });
    }
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.setTimer(ANSWER_WITHIN_MS, () =>
        reject(new Error(`it did not answer within ${ANSWER_WITHIN_MS} ms`)),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }
}

const NAMES: Partial<Record<PayloadPlace["what"], string>> = {
  updateInput: "the input of an update",
  updateResult: "the result of an update",
  queryInput: "the input of a query",
  queryAnswer: "the answer of a query",
};

/** Fit for messages: what it is and whose, without its content. */
export function describePlace({ what, owner }: PayloadPlace): string {
  const name = NAMES[what] ?? what;
  if (owner === null) return name;
  return `${name} of run ${"runId" in owner ? owner.runId : owner.workflowId}`;
}

/** For codecs: an error that says that a payload can never be read here. */
export function unreadable(place: PayloadPlace, why: string, cause?: unknown): EverstepError {
  const message = `${describePlace(place)} cannot be decoded: ${why}.`;
  return new EverstepError("PAYLOAD_UNREADABLE", message, { cause, details: { what: place.what } });
}

function checkLength(text: string, place: PayloadPlace): string {
  if (text.length <= MAX_ENCODED_LENGTH) return text;
  const message = `${describePlace(place)} takes ${text.length} characters once encoded; the limit is ${MAX_ENCODED_LENGTH}. Compress it, offload it, or keep it elsewhere and pass a reference.`;
  throw new EverstepError("PAYLOAD_TOO_LARGE", message, { details: { what: place.what } });
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array, place: PayloadPlace): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw unreadable(place, "what its codecs made of it is no text", error);
  }
}
