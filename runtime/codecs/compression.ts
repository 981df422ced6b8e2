// Payloads made smaller where it is worth it. Failures stay as they are: they are small, and people look for them with SQL.

import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from "node:zlib";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { PAYLOAD_LIMITS } from "../../sdk/protocol/payload.ts";
import { unreadable } from "./codec-chain.ts";
import type { PayloadCodec } from "./payload-codec.ts";

export interface CompressionOptions {
  /** Smaller payloads are left as they are, in bytes. Default 1,024. */
  readonly minBytes?: number;
  /** Brotli is smaller, gzip is quicker. Both are read, whichever is chosen. Default "brotli". */
  readonly algorithm?: "brotli" | "gzip";
}

const DEFAULT_MIN_BYTES = 1_024;
/** Quality 4 of 11: near to the ratio of gzip's best, at the speed of its default. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
/** No payload is larger, whatever a few bytes say that they unfold to. A failure's JSON is far below. */
const AT_MOST = { maxOutputLength: PAYLOAD_LIMITS.maxBytes };

const compress = { brotli: promisify(brotliCompress), gzip: promisify(gzip) };
const decompress = { brotli: promisify(brotliDecompress), gzip: promisify(gunzip) };
type Algorithm = keyof typeof compress;
/** The first byte of what this codec makes tells how the others were made. Shipped numbers are never changed. */
const NUMBERS: Readonly<Record<Algorithm, number>> = { brotli: 1, gzip: 2 };

/**
 * Compresses payloads of `minBytes` and more, outside of the event loop. Belongs before `encryption`: what is encrypted
 * cannot be compressed. A payload that gets no smaller is left as it is; nothing is unfolded beyond 2 MiB.
 *
 * Throws CONFIGURATION_INVALID.
 */
export function compression({
  minBytes = DEFAULT_MIN_BYTES,
  algorithm = "brotli",
}: CompressionOptions = {}): PayloadCodec {
  if (!Number.isInteger(minBytes) || minBytes < 0 || !Object.hasOwn(NUMBERS, algorithm)) {
    const message = `compression() takes minBytes, a whole number from 0 up, and algorithm "brotli" or "gzip"; got ${String(minBytes)} and ${String(algorithm)}.`;
    throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "codecs" } });
  }
  return {
    name: "compressed",
    async encode(bytes, { what }) {
      if (bytes.byteLength < minBytes || what === "failure") return undefined;
      const packed = await (algorithm === "brotli" ? compress.brotli(bytes, BROTLI) : compress.gzip(bytes));
      if (packed.byteLength + 1 >= bytes.byteLength) return undefined;
      return Buffer.concat([Buffer.of(NUMBERS[algorithm]), packed]);
    },
    async decode(bytes, place) {
      const used = (Object.keys(NUMBERS) as Algorithm[]).find((each) => NUMBERS[each] === bytes[0]);
      if (used === undefined) throw unreadable(place, "it was not compressed by this codec");
      try {
        return await decompress[used](bytes.subarray(1), AT_MOST);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw unreadable(place, `its compressed form is damaged, or larger than a payload may be (${reason})`, error);
      }
    },
  };
}
