// What is imported as "everstep/codecs".

export { type CompressionOptions, compression } from "./compression.ts";
export { directoryBlobs } from "./directory-blobs.ts";
export { type EncryptionOptions, encryption } from "./encryption.ts";
export type { EncryptionKey, EncryptionKeys, SecretKey } from "./encryption-keys.ts";
export { type BlobKey, type BlobStore, type OffloadOptions, offload } from "./offload.ts";
export type { PayloadCodec, PayloadPlace } from "./payload-codec.ts";
