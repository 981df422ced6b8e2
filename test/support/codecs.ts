// Codecs for tests: all the shipped ones in their right order, and ones that fail at will.

import { randomBytes } from "node:crypto";
import { type BlobKey, type BlobStore, compression, encryption, offload, type PayloadCodec } from "everstep/codecs";

export const KEYS = { old: randomBytes(32), new: randomBytes(32) };

export class MemoryBlobs implements BlobStore {
  readonly blobs = new Map<string, Uint8Array>();

  async put({ run, hash }: BlobKey, bytes: Uint8Array): Promise<void> {
    this.blobs.set(`${run}/${hash}`, Uint8Array.from(bytes));
  }

  async get({ run, hash }: BlobKey): Promise<Uint8Array | undefined> {
    return this.blobs.get(`${run}/${hash}`);
  }

  async delete(run: string): Promise<void> {
    for (const key of this.of(run)) this.blobs.delete(key);
  }

  /** Keys of the blobs that were put away for it. */
  of(run: string): string[] {
    return [...this.blobs.keys()].filter((key) => key.startsWith(`${run}/`));
  }
}

export function allCodecs(blobs: BlobStore = new MemoryBlobs()): PayloadCodec[] {
  return [
    compression({ minBytes: 64 }),
    encryption({ keys: KEYS, currentKeyId: "new" }),
    offload({ store: blobs, aboveBytes: 256 }),
  ];
}

/** Adds one letter, as long as it is not told to fail. */
export class Fickle implements PayloadCodec {
  readonly name = "fickle";
  #hanging: (() => void)[] = [];
  /** What a call does for a payload: throw, or not answer until `recover`; undefined to work. */
  behavior: (call: { readonly verb: "encode" | "decode"; readonly text: string }) => "throw" | "hang" | undefined =
    () => undefined;

  async encode(bytes: Uint8Array): Promise<Uint8Array> {
    await this.#behave("encode", Buffer.from(bytes).toString());
    return Buffer.concat([Buffer.from("~"), bytes]);
  }

  async decode(bytes: Uint8Array): Promise<Uint8Array> {
    const inner = bytes.subarray(1);
    await this.#behave("decode", Buffer.from(inner).toString());
    return inner;
  }

  /** Works from here on, also for those who wait. */
  recover(): void {
    this.behavior = () => undefined;
    for (const answer of this.#hanging.splice(0)) answer();
  }

  async #behave(verb: "encode" | "decode", text: string): Promise<void> {
    const behavior = this.behavior({ verb, text });
    if (behavior === "throw") throw new Error("the key service is away");
    if (behavior === "hang") await new Promise<void>((resolve) => this.#hanging.push(resolve));
  }
}
