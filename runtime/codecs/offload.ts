// Large payloads kept outside of the database. The history keeps a reference: the hash of what was put away.

import { createHash } from "node:crypto";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { unreadable } from "./codec-chain.ts";
import type { PayloadCodec, PayloadPlace } from "./payload-codec.ts";

/** Which blob. Both parts are safe in paths and URLs: letters, digits and dashes. */
export interface BlobKey {
  /** What is put away for one run is together, to be removed with it. For a signal sent by workflow id: a hash of that. */
  readonly run: string;
  /** SHA-256 of the bytes, hexadecimal. */
  readonly hash: string;
}

/** Where `offload` puts bytes. What its functions throw is taken for an outage: they are called again. */
export interface BlobStore {
  /** Resolves when the bytes are kept for good. The same key always comes with the same bytes. */
  put(key: BlobKey, bytes: Uint8Array): Promise<void>;
  /** Undefined when there is no such blob. */
  get(key: BlobKey): Promise<Uint8Array | undefined>;
  /**
   * Removes all blobs of a run, be there any or none. Called after the run was deleted. Without this function they stay, to be
   * removed by other means.
   */
  delete?(run: BlobKey["run"]): Promise<void>;
}

export interface OffloadOptions {
  readonly store: BlobStore;
  /** Payloads above this many bytes are put away. Default 131,072 (128 KiB). */
  readonly aboveBytes?: number;
}

const DEFAULT_ABOVE_BYTES = 128 * 1024;
const SHA256_BYTES = 32;

/**
 * Puts payloads above `aboveBytes` into a `BlobStore`, and checks what comes back by its hash. Belongs last in `codecs`, so
 * that what is put away is compressed and encrypted. Blobs of deleted runs are removed where the `BlobStore` can.
 *
 * Throws CONFIGURATION_INVALID.
 */
export function offload({ store, aboveBytes = DEFAULT_ABOVE_BYTES }: OffloadOptions): PayloadCodec {
  if (!Number.isInteger(aboveBytes) || aboveBytes < SHA256_BYTES) {
    const message = `offload() takes aboveBytes, a whole number from ${SHA256_BYTES} up; got ${String(aboveBytes)}.`;
    throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "codecs" } });
  }
  return {
    name: "offloaded",
    async encode(bytes, place) {
      if (bytes.byteLength <= aboveBytes || place.what === "failure") return undefined;
      const hash = createHash("sha256").update(bytes).digest();
      await store.put(keyOf(place, hash), bytes);
      return hash;
    },
    async decode(reference, place) {
      if (reference.byteLength !== SHA256_BYTES) throw unreadable(place, "its reference is damaged");
      const key = keyOf(place, reference);
      const bytes = await store.get(key);
      if (bytes === undefined) throw unreadable(place, `the blob ${key.run}/${key.hash} it was put away in is gone`);
      if (createHash("sha256").update(bytes).digest().equals(reference)) return bytes;
      throw unreadable(place, `the blob ${key.run}/${key.hash} it was put away in was changed`);
    },
    ...(store.delete && { forget: (runId: string) => store.delete?.(folderOf({ runId })) }),
  };
}

function keyOf({ owner }: PayloadPlace, hash: Uint8Array): BlobKey {
  return { run: folderOf(owner), hash: Buffer.from(hash).toString("hex") };
}

// A run id is a ULID. A workflow id is anything its caller likes.
function folderOf(owner: PayloadPlace["owner"]): string {
  if (owner === null) return "answers";
  if ("runId" in owner && /^[0-9A-Za-z-]{1,64}$/.test(owner.runId)) return owner.runId;
  const name = "runId" in owner ? owner.runId : owner.workflowId;
  return `workflow-${createHash("sha256").update(name).digest("hex").slice(0, SHA256_BYTES)}`;
}
