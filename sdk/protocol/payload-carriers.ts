// The two shapes that errors and bytes take inside a rich payload. Their field names are part of the stored format:
// old payloads must stay readable.

import { recreateError } from "./standard-errors.ts";

/** An error's parts, read. `stack` is kept under a reserved key, so that hashing can leave it out. */
export class StoredError {
  readonly name: unknown;
  readonly message: unknown;
  readonly "~stack"?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  /** The error's own enumerable fields. */
  own?: unknown;

  constructor(parts: Readonly<Record<string, unknown>>, own: Readonly<Record<string, unknown>>) {
    this.name = parts.name ?? "Error";
    this.message = parts.message ?? "";
    if ("stack" in parts) this["~stack"] = parts.stack;
    if ("cause" in parts) this.cause = parts.cause;
    if ("errors" in parts) this.errors = parts.errors;
    if (Object.keys(own).length > 0) this.own = own;
  }
}

type View = (buffer: ArrayBuffer) => object;

/** Every kind of bytes there is, and how to see a fresh buffer as one. Shared memory is not data and not here. */
const VIEWS: Readonly<Record<string, { readonly size: number; readonly view: View }>> = {
  ArrayBuffer: { size: 1, view: (buffer) => buffer },
  Buffer: { size: 1, view: (buffer) => Buffer.from(buffer) },
  DataView: { size: 1, view: (buffer) => new DataView(buffer) },
  Uint8Array: { size: 1, view: (buffer) => new Uint8Array(buffer) },
  Uint8ClampedArray: { size: 1, view: (buffer) => new Uint8ClampedArray(buffer) },
  Int8Array: { size: 1, view: (buffer) => new Int8Array(buffer) },
  Uint16Array: { size: 2, view: (buffer) => new Uint16Array(buffer) },
  Int16Array: { size: 2, view: (buffer) => new Int16Array(buffer) },
  Uint32Array: { size: 4, view: (buffer) => new Uint32Array(buffer) },
  Int32Array: { size: 4, view: (buffer) => new Int32Array(buffer) },
  Float32Array: { size: 4, view: (buffer) => new Float32Array(buffer) },
  Float64Array: { size: 8, view: (buffer) => new Float64Array(buffer) },
  BigInt64Array: { size: 8, view: (buffer) => new BigInt64Array(buffer) },
  BigUint64Array: { size: 8, view: (buffer) => new BigUint64Array(buffer) },
};

/** The name of the value's kind of bytes; undefined for anything else. */
export function bytesKindOf(value: object): string | undefined {
  if (value instanceof ArrayBuffer) return "ArrayBuffer";
  if (!ArrayBuffer.isView(value) || !(value.buffer instanceof ArrayBuffer)) return undefined;
  if (Buffer.isBuffer(value)) return "Buffer";
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return Object.hasOwn(VIEWS, kind) ? kind : undefined;
}

/** Bytes in base64, in the machine's (everywhere little-endian) order. */
export class StoredBytes {
  readonly kind: string;
  readonly base64: string;

  constructor(kind: string, base64: string) {
    this.kind = kind;
    this.base64 = base64;
  }

  static from(value: object, kind: string): StoredBytes {
    const bytes = ArrayBuffer.isView(value)
      ? Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
      : Buffer.from(value as ArrayBuffer);
    return new StoredBytes(kind, bytes.toString("base64"));
  }
}

/** The bytes a carrier stands for; undefined when its fields are not what `StoredBytes.from` writes. */
export function restoreBytes({ kind, base64 }: StoredBytes): object | undefined {
  if (typeof kind !== "string" || typeof base64 !== "string" || !Object.hasOwn(VIEWS, kind)) return undefined;
  const { size, view } = VIEWS[kind] as (typeof VIEWS)[string];
  const bytes = Buffer.from(base64, "base64");
  if (bytes.byteLength % size !== 0 || bytes.toString("base64") !== base64) return undefined;
  // A buffer of its own: Node's small Buffers share one pool, which `value.buffer` would lay open.
  const own = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(own).set(bytes);
  return view(own);
}

/** The error a carrier stands for; undefined when its fields are not what the constructor writes. */
export function restoreError(stored: StoredError): Error | undefined {
  const { name, message, own } = stored;
  const stack = stored["~stack"];
  if (typeof name !== "string" || typeof message !== "string") return undefined;
  if (stack !== undefined && typeof stack !== "string") return undefined;
  if (own !== undefined && (typeof own !== "object" || own === null || Array.isArray(own))) return undefined;
  const error = recreateError({ name, message, stack, ...("cause" in stored ? { cause: stored.cause } : {}) });
  if ("errors" in stored)
    Object.defineProperty(error, "errors", { value: stored.errors, writable: true, configurable: true });
  for (const [key, value] of Object.entries(own ?? {})) {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: true });
  }
  return error;
}
