// Payloads that only holders of a key can read: AES-256-GCM, a random nonce each, bound to the key's id and to the place of
// the payload. The form: version (1 byte), length of the key id (1), key id, nonce (12), tag (16), ciphertext.

import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { drawBytes } from "../world/system.ts";
import { unreadable } from "./codec-chain.ts";
import type { EncryptionKeys } from "./encryption-keys.ts";
import { KeyRing } from "./key-ring.ts";
import type { PayloadCodec, PayloadPlace } from "./payload-codec.ts";

export interface EncryptionOptions {
  /**
   * All keys that payloads may have been encrypted with, by id. As a function it is called when a key is first needed, and
   * its answer is kept; what it throws is taken for an outage.
   */
  readonly keys: EncryptionKeys;
  /** The key to encrypt with. Rotate by adding a key everywhere, then naming it here; keep the old ones to read. */
  readonly currentKeyId: string;
  /** False leaves failures (messages, stacks, details) readable with SQL. Default true. */
  readonly encryptFailures?: boolean;
  /**
   * True blocks runs whose history holds payloads that were not encrypted: whoever can write to the database could have
   * put them there. Default false: histories from before encryption go on.
   */
  readonly refusePlain?: boolean;
}

const ALGORITHM = "aes-256-gcm";
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_KEY_ID_BYTES = 255;

/**
 * Encrypts payloads, so that the database, its backups and its operators do not see them, and so that one that was
 * changed, or moved to another run or place, is found out.
 *
 * Throws CONFIGURATION_INVALID for keys that are not 32 bytes, and for a `currentKeyId` that is not among them.
 */
export function encryption(options: EncryptionOptions): PayloadCodec {
  const { currentKeyId, encryptFailures = true, refusePlain = false } = options;
  const keys = new KeyRing(options.keys);
  const idBytes = Buffer.byteLength(currentKeyId);
  const isKnown = keys.ids === undefined || keys.ids.includes(currentKeyId);
  if (idBytes === 0 || idBytes > MAX_KEY_ID_BYTES || !isKnown) {
    const message = `encryption() takes a currentKeyId of 1 to ${MAX_KEY_ID_BYTES} bytes that is among its keys; got "${currentKeyId}".`;
    throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "codecs" } });
  }
  const applies = ({ what }: PayloadPlace) => encryptFailures || what !== "failure";
  return {
    name: "aes-256-gcm",
    requires: (place) => refusePlain && applies(place),
    async encode(bytes, place) {
      if (!applies(place)) return undefined;
      const key = await keys.find(currentKeyId);
      if (key === undefined) throw new Error(`there is no key "${currentKeyId}" to encrypt with`);
      return encrypt(bytes, currentKeyId, key, place);
    },
    async decode(bytes, place) {
      const keyId = keyIdOf(bytes);
      if (keyId === undefined) throw unreadable(place, "it was not encrypted by this codec");
      const key = await keys.find(keyId);
      if (key !== undefined) return decrypt(bytes, keyId, key, place);
      const known = keys.ids === undefined ? "" : ` (it has: ${keys.ids.map((id) => `"${id}"`).join(", ")})`;
      throw unreadable(place, `it was encrypted with key "${keyId}", which this process does not have${known}`);
    },
  };
}

function encrypt(bytes: Uint8Array, keyId: string, key: KeyObject, place: PayloadPlace): Uint8Array {
  const head = headOf(keyId);
  const nonce = drawBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(head, place));
  const text = [cipher.update(bytes), cipher.final()];
  return Buffer.concat([head, nonce, cipher.getAuthTag(), ...text]);
}

function decrypt(bytes: Uint8Array, keyId: string, key: KeyObject, place: PayloadPlace): Uint8Array {
  const head = headOf(keyId);
  const nonceEnd = head.byteLength + NONCE_BYTES;
  const tagEnd = nonceEnd + TAG_BYTES;
  if (bytes.byteLength < tagEnd) throw unreadable(place, "its encrypted form is cut off");
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(head.byteLength, nonceEnd), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundTo(head, place));
  decipher.setAuthTag(bytes.subarray(nonceEnd, tagEnd));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(tagEnd)), decipher.final()]);
  } catch (error) {
    throw unreadable(place, `it was changed, moved from where it was stored, or is of another key "${keyId}"`, error);
  }
}

function headOf(keyId: string): Buffer {
  const id = Buffer.from(keyId);
  return Buffer.concat([Buffer.of(VERSION, id.byteLength), id]);
}

function keyIdOf(bytes: Uint8Array): string | undefined {
  const [version, length = 0] = bytes;
  if (version !== VERSION || length === 0 || bytes.byteLength < 2 + length) return undefined;
  return Buffer.from(bytes.subarray(2, 2 + length)).toString();
}

function boundTo(head: Uint8Array, place: PayloadPlace): Buffer {
  return Buffer.concat([head, Buffer.from(place.binding)]);
}
