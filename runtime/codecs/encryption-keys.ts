// The forms in which keys are given to `encryption`.

/** A `KeyObject` of node:crypto, as `createSecretKey` makes it. */
export interface SecretKey {
  readonly type: string;
  readonly symmetricKeySize?: number | undefined;
}

/** 32 bytes: as such, as base64, or as a secret `KeyObject`. */
export type EncryptionKey = Uint8Array | string | SecretKey;

/** Keys by id; or a function that finds one, for keys that are fetched. Undefined: there is no such key. */
export type EncryptionKeys =
  | Readonly<Record<string, EncryptionKey>>
  | ((keyId: string) => EncryptionKey | undefined | Promise<EncryptionKey | undefined>);
