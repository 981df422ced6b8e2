// Keys by their id. A key is turned into Node's opaque form at once, so that no log line and no error can show it.

import { createSecretKey, KeyObject } from "node:crypto";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { EncryptionKey, EncryptionKeys } from "./encryption-keys.ts";

const KEY_BYTES = 32;
const MOST_KEYS = 1_000;

export class KeyRing {
  readonly #find: (keyId: string) => Promise<KeyObject | undefined>;
  readonly #fetched = new Map<string, Promise<KeyObject | undefined>>();
  /** Ids of the keys that are known beforehand, for messages. */
  readonly ids: readonly string[] | undefined;

  constructor(keys: EncryptionKeys) {
    if (typeof keys === "function") {
      this.#find = async (keyId) => {
        const key = await keys(keyId);
        return key === undefined ? undefined : secretOf(keyId, key);
      };
      return;
    }
    const secrets = new Map(Object.entries(keys).map(([keyId, key]) => [keyId, secretOf(keyId, key)]));
    this.ids = [...secrets.keys()];
    this.#find = async (keyId) => secrets.get(keyId);
  }

  /** The key, fetched once. A fetch that failed, or found none, is made again when the key is next asked for. */
  find(keyId: string): Promise<KeyObject | undefined> {
    const before = this.#fetched.get(keyId);
    if (before !== undefined) return before;
    const finding = this.#find(keyId);
    if (this.#fetched.size >= MOST_KEYS) this.#fetched.clear();
    this.#fetched.set(keyId, finding);
    const forget = () => void this.#fetched.delete(keyId);
    finding.then((key) => key ?? forget(), forget);
    return finding;
  }
}

function secretOf(keyId: string, key: EncryptionKey): KeyObject {
  const secret = key instanceof KeyObject ? key : createSecretKey(bytesOf(key));
  if (secret.type === "secret" && secret.symmetricKeySize === KEY_BYTES) return secret;
  const message = `encryption(): key "${keyId}" is not a secret of ${KEY_BYTES} bytes. Make one with: openssl rand -base64 32`;
  throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "codecs", keyId } });
}

function bytesOf(key: unknown): Uint8Array {
  if (typeof key === "string") return Buffer.from(key, "base64");
  return key instanceof Uint8Array ? key : new Uint8Array();
}
