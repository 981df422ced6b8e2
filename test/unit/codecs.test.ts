// Codecs and their chain: what goes in comes out; what was changed, moved or is of an unknown key is found out.

import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import {
  compression,
  directoryBlobs,
  encryption,
  offload,
  type PayloadCodec,
  type PayloadPlace,
} from "everstep/codecs";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { CodecChain, MAX_ENCODED_LENGTH } from "../../runtime/codecs/codec-chain.ts";
import {
  answerPlace,
  codeEvent,
  heartbeatPlace,
  mailPlace,
  queryPlace,
  refusalPlace,
} from "../../runtime/codecs/payload-places.ts";
import { systemClock } from "../../runtime/world/system.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { decodePayload, encodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { readEncoded, unreadablePayload, whyUnreadable, writeEncoded } from "../../sdk/protocol/payload-encoded.ts";
import { allCodecs, KEYS, MemoryBlobs } from "../support/codecs.ts";
import { ManualClock } from "../support/manual-clock.ts";

const chainOf = (...codecs: PayloadCodec[]) => new CodecChain(codecs, systemClock);
const sealed = () => chainOf(encryption({ keys: KEYS, currentKeyId: "new" }));
const place = mailPlace(
  { runId: "01JZ0000000000000000000000" },
  { kind: "signal", mailId: "signal:1", name: "approve" },
);
const UNREADABLE = { code: "PAYLOAD_UNREADABLE", retryable: false };

/** Texts that the runtime stores: JSON without raw control characters, of any size and repetition. */
const payloads = fc
  .tuple(fc.anything({ withDate: true, withMap: true, withBigInt: true }), fc.nat({ max: 40 }))
  .map(([value, copies]): Payload => {
    try {
      return encodePayload(Array(copies).fill(value), "it");
    } catch {
      return JSON.stringify("x".repeat(copies * 50));
    }
  });

/** Every kind of place there is; equal ones have equal bindings. */
const ids = fc.constantFrom("a", "b", "c");
const numbers = fc.integer({ min: 1, max: 3 });
const kinds = fc.constantFrom("signal" as const, "update" as const);
const places: fc.Arbitrary<PayloadPlace> = fc.oneof(
  fc
    .record({ kind: kinds, mailId: ids, name: ids, runId: ids })
    .map(({ runId, ...mail }) => mailPlace({ runId }, mail)),
  fc
    .record({ kind: kinds, mailId: ids, name: ids, workflowId: ids })
    .map(({ workflowId, ...mail }) => mailPlace({ workflowId }, mail)),
  fc.tuple(ids, numbers, numbers).map((parts) => heartbeatPlace(...parts)),
  fc.tuple(ids, numbers).map((parts) => refusalPlace(...parts)),
  fc.record({ runId: ids, queryId: ids, name: ids }).map(queryPlace),
  ids.map(answerPlace),
);

describe("the chain", () => {
  test("gives back whatever it was given, through every codec and any of them", async () => {
    const codecs = fc.subarray(["compressed", "aes-256-gcm", "offloaded"]);
    await fc.assert(
      fc.asyncProperty(payloads, places, codecs, async (payload, where, names) => {
        const chain = chainOf(...allCodecs().filter(({ name }) => names.includes(name)));
        const encoded = await chain.encode(payload, where);
        expect(await chain.decode(encoded, where)).toBe(payload);
        if (names.includes("aes-256-gcm") && payload !== null) expect(encoded).not.toContain(payload);
      }),
    );
  });

  test("reads what was stored before there were codecs, whatever it looks like", async () => {
    const lookalikes = [
      '{"a":1}',
      encodePayload({ $everstep: "encoded", by: ["aes-256-gcm"], data: "AAAA" }, "it"),
      encodePayload({ $everstep: "unreadable", why: "because" }, "it"),
      encodePayload(writeEncoded({ by: ["aes-256-gcm"], data: randomBytes(8) }), "it"),
    ];
    for (const payload of lookalikes) {
      expect(await sealed().decode(payload, place)).toBe(payload);
      expect(whyUnreadable(payload)).toBeUndefined();
    }
  });

  test("leaves a payload as it is when no codec has anything to do", async () => {
    const chain = chainOf(compression(), offload({ store: new MemoryBlobs() }));
    expect(await chain.encode('"small"', place)).toBe('"small"');
    expect(await chain.encode(null, place)).toBeNull();
  });

  test("says which codec is missing, and a process without codecs says so too", async () => {
    const encoded = await chainOf(...allCodecs()).encode(JSON.stringify("x".repeat(1_000)), place);
    await expect(chainOf(compression()).decode(encoded, place)).rejects.toMatchObject({
      ...UNREADABLE,
      message: expect.stringMatching(/encoded by "aes-256-gcm", which is not among .*"compressed"/),
    });
    expect(() => decodePayload(encoded, "input of run order-1")).toThrow(
      /input of run order-1 .* encoded by the codecs "compressed", "aes-256-gcm".* same `codecs`/,
    );
  });

  test("never stores what could not be read in the place of what was", async () => {
    const encoded = await sealed().encode('"kept"', place);
    for (const payload of [encoded, unreadablePayload("no key")]) {
      await expect(sealed().encode(payload, place)).rejects.toMatchObject({ code: "INVARIANT_BROKEN" });
    }
  });

  test("tells an outage from what can never be read", async () => {
    const failing = (error: unknown): PayloadCodec => ({
      name: "failing",
      encode: (bytes) => bytes,
      decode: () => Promise.reject(error),
    });
    const encoded = await chainOf(failing(null)).encode('"x"', place);
    await expect(chainOf(failing(new Error("KMS is away"))).decode(encoded, place)).rejects.toMatchObject({
      code: "CODEC_FAILED",
      retryable: true,
      message: expect.stringContaining("KMS is away"),
    });
  });

  test("gives up on a codec that does not answer, and takes it for an outage", async () => {
    const silent: PayloadCodec = { name: "silent", encode: () => new Promise(() => {}), decode: (bytes) => bytes };
    const clock = new ManualClock();
    const encoding = new CodecChain([silent], clock).encode('"x"', place);
    const failure = expect(encoding).rejects.toMatchObject({
      code: "CODEC_FAILED",
      message: expect.stringContaining("did not answer within 10000 ms"),
    });
    await clock.advance(10_000);
    await failure;
  });

  test("refuses what grew beyond the limit, and names that are none", async () => {
    const growing: PayloadCodec = {
      name: "growing",
      encode: () => new Uint8Array(MAX_ENCODED_LENGTH),
      decode: (bytes) => bytes,
    };
    await expect(chainOf(growing).encode('"x"', place)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
    for (const wrong of [[growing, growing], [{ ...growing, name: "a b" }]]) {
      expect(() => chainOf(...wrong)).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
    }
  });
});

describe("encryption", () => {
  test("finds out that a payload was moved to any other place", async () => {
    await fc.assert(
      fc.asyncProperty(places, places, async (from, to) => {
        fc.pre(from.binding !== to.binding);
        const encoded = await sealed().encode('"mine"', from);
        await expect(sealed().decode(encoded, to)).rejects.toMatchObject(UNREADABLE);
      }),
    );
  });

  test("finds out that an event's payload was moved to another run, position, command, name or type", async () => {
    const event = toRecord({
      type: "StepCompleted",
      command: 2,
      name: "charge",
      result: '"9"',
      attempt: 1,
      inputHash: null,
    });
    const chain = sealed();
    const encode = (payload: Payload, where: PayloadPlace) => chain.encode(payload, where);
    const decode = (payload: Payload, where: PayloadPlace) => chain.decode(payload, where);
    const encoded = await codeEvent("run-a", 3, event, encode);
    expect(await codeEvent("run-a", 3, encoded, decode)).toEqual(event);
    for (const moved of [
      codeEvent("run-b", 3, encoded, decode),
      codeEvent("run-a", 4, encoded, decode),
      codeEvent("run-a", 3, { ...encoded, command: 3 }, decode),
      codeEvent("run-a", 3, { ...encoded, name: "refund" }, decode),
      codeEvent("run-a", 3, { ...encoded, type: 7 }, decode),
    ]) {
      await expect(moved).rejects.toMatchObject(UNREADABLE);
    }
  });

  test("finds out that any bit was changed", async () => {
    const encoded = await sealed().encode('"mine"', place);
    const { by, data } = readEncoded(String(encoded)) ?? { by: [], data: new Uint8Array() };
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: data.byteLength * 8 - 1 }), async (bit) => {
        const changed = Uint8Array.from(data);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expect(sealed().decode(writeEncoded({ by, data: changed }), place)).rejects.toMatchObject(UNREADABLE);
      }),
    );
    for (let length = 0; length < data.byteLength; length++) {
      const cut = writeEncoded({ by, data: data.subarray(0, length) });
      await expect(sealed().decode(cut, place)).rejects.toMatchObject(UNREADABLE);
    }
  });

  test("finds out that the envelope was changed", async () => {
    const encoded = String(await sealed().encode('"mine"', place));
    for (const changed of [
      encoded.slice(0, -1),
      encoded.replace('"data":"', '"data":" '),
      encoded.replace('"by":["aes-256-gcm"]', '"by":[]'),
      encoded.replace('"by"', '"more":1,"by"'),
      encoded.replace('"aes-256-gcm"', '"aes-256-gcm","aes-256-gcm"'),
    ]) {
      expect(changed).not.toBe(encoded);
      await expect(sealed().decode(changed, place)).rejects.toMatchObject(UNREADABLE);
    }
  });

  test("encrypts the same payload differently each time", async () => {
    const texts = await Promise.all(Array.from({ length: 50 }, () => sealed().encode('"same"', place)));
    expect(new Set(texts).size).toBe(50);
  });

  test("rotates: the old key still reads, the new one writes, a key that is gone is named", async () => {
    const before = await chainOf(encryption({ keys: { old: KEYS.old }, currentKeyId: "old" })).encode('"v"', place);
    expect(await sealed().decode(before, place)).toBe('"v"');
    const after = await sealed().encode('"v"', place);
    const without = chainOf(encryption({ keys: { old: KEYS.old }, currentKeyId: "old" })).decode(after, place);
    await expect(without).rejects.toMatchObject({
      ...UNREADABLE,
      message: expect.stringMatching(/key "new", which this process does not have \(it has: "old"\)/),
    });
    const other = chainOf(encryption({ keys: { new: randomBytes(32) }, currentKeyId: "new" }));
    await expect(other.decode(after, place)).rejects.toMatchObject(UNREADABLE);
  });

  test("takes keys as bytes, base64, KeyObject, or from a function that is asked once", async () => {
    const encoded = await sealed().encode('"v"', place);
    const asked: string[] = [];
    const fetched = async (keyId: string) => {
      asked.push(keyId);
      return KEYS.new;
    };
    for (const keys of [
      { new: Uint8Array.from(KEYS.new) },
      { new: KEYS.new.toString("base64") },
      { new: createSecretKey(KEYS.new) },
      fetched,
    ]) {
      const chain = chainOf(encryption({ keys, currentKeyId: "new" }));
      expect(await chain.decode(encoded, place)).toBe('"v"');
      expect(await chain.decode(await chain.encode('"w"', place), place)).toBe('"w"');
    }
    expect(asked).toEqual(["new"]);
  });

  test("asks for a key again after an outage, and knows a key that does not exist", async () => {
    let answer: () => Promise<Uint8Array | undefined> = () => Promise.reject(new Error("KMS timeout"));
    const chain = chainOf(encryption({ keys: () => answer(), currentKeyId: "new" }));
    const encoded = await sealed().encode('"v"', place);
    await expect(chain.decode(encoded, place)).rejects.toMatchObject({ code: "CODEC_FAILED" });
    await expect(chain.encode('"v"', place)).rejects.toMatchObject({ code: "CODEC_FAILED" });
    answer = async () => undefined;
    await expect(chain.decode(encoded, place)).rejects.toMatchObject(UNREADABLE);
    await expect(chain.encode('"v"', place)).rejects.toMatchObject({ code: "CODEC_FAILED" });
    answer = async () => KEYS.new;
    expect(await chain.decode(encoded, place)).toBe('"v"');
  });

  test("never shows a key", async () => {
    const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";
    const wrong = "dG9vIHNob3J0";
    const codec = encryption({ keys: { k: secret }, currentKeyId: "k" });
    const shown = [inspect(codec, { depth: 10, showHidden: true }), JSON.stringify(codec)];
    try {
      encryption({ keys: { k: wrong }, currentKeyId: "k" });
    } catch (error) {
      shown.push(inspect(error, { depth: 10 }));
    }
    expect(shown).toHaveLength(3);
    for (const text of shown) {
      expect(text).not.toContain(secret.slice(0, 8));
      expect(text).not.toContain(wrong.slice(0, 8));
      expect(text).not.toContain("secret-secret");
    }
  });

  test("refuses keys and ids that cannot work", () => {
    const invalid = expect.objectContaining({ code: "CONFIGURATION_INVALID" });
    expect(() => encryption({ keys: { k: randomBytes(16) }, currentKeyId: "k" })).toThrow(invalid);
    expect(() => encryption({ keys: { k: randomBytes(32) }, currentKeyId: "other" })).toThrow(invalid);
    expect(() => encryption({ keys: () => undefined, currentKeyId: "" })).toThrow(invalid);
  });

  test("believes nothing plain when told so, not even that there is no value", async () => {
    const strict = chainOf(encryption({ keys: KEYS, currentKeyId: "new", refusePlain: true }));
    const nothing = await strict.encode(null, place);
    expect(nothing).not.toBeNull();
    expect(await strict.decode(nothing, place)).toBeNull();
    for (const plain of ['"forged"', null]) await expect(strict.decode(plain, place)).rejects.toMatchObject(UNREADABLE);
    const compressed = await chainOf(compression({ minBytes: 0 })).encode(JSON.stringify("x".repeat(500)), place);
    const both = chainOf(compression(), encryption({ keys: KEYS, currentKeyId: "new", refusePlain: true }));
    await expect(both.decode(compressed, place)).rejects.toMatchObject(UNREADABLE);
  });

  test("leaves failures readable when told so", async () => {
    const chain = chainOf(encryption({ keys: KEYS, currentKeyId: "new", encryptFailures: false, refusePlain: true }));
    const failure = { ...place, what: "failure" } as const;
    expect(await chain.encode('{"message":"no stock"}', failure)).toBe('{"message":"no stock"}');
    expect(await chain.decode('{"message":"no stock"}', failure)).toBe('{"message":"no stock"}');
  });
});

describe("compression", () => {
  const long = JSON.stringify("all work and no play ".repeat(2_000));

  test.each(["brotli", "gzip"] as const)(
    "makes large payloads smaller with %s, and reads either",
    async (algorithm) => {
      const encoded = await chainOf(compression({ algorithm })).encode(long, place);
      expect(String(encoded).length).toBeLessThan(long.length / 20);
      expect(await chainOf(compression()).decode(encoded, place)).toBe(long);
    },
  );

  test("leaves what does not get smaller, and failures", async () => {
    const noise = JSON.stringify(randomBytes(3_000).toString("latin1"));
    const chain = chainOf(compression({ minBytes: 0, algorithm: "gzip" }));
    expect(await chain.encode('"tiny"', place)).toBe('"tiny"');
    expect(await chain.decode(await chain.encode(noise, place), place)).toBe(noise);
    expect(await chain.encode(long, { ...place, what: "failure" })).toBe(long);
  });

  test.each([
    ["brotli", 1, brotliCompressSync],
    ["gzip", 2, gzipSync],
  ])("stops unfolding a %s bomb at the size of a payload", async (_, number, pack) => {
    const bomb = Buffer.concat([Buffer.of(number), pack(Buffer.alloc(64 * 1024 * 1024, "x"))]);
    expect(bomb.byteLength).toBeLessThan(100_000);
    const payload = writeEncoded({ by: ["compressed"], data: bomb });
    await expect(chainOf(compression()).decode(payload, place)).rejects.toMatchObject(UNREADABLE);
  });

  test("does not take damaged bytes for a payload, or for an outage", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const decoding = chainOf(compression()).decode(writeEncoded({ by: ["compressed"], data: bytes }), place);
        await decoding.catch((error) => expect(error).toMatchObject(UNREADABLE));
      }),
    );
  });

  test("refuses options that cannot work", () => {
    const invalid = expect.objectContaining({ code: "CONFIGURATION_INVALID" });
    expect(() => compression({ minBytes: -1 })).toThrow(invalid);
    expect(() => compression({ algorithm: "lz4" as "gzip" })).toThrow(invalid);
    expect(() => offload({ store: new MemoryBlobs(), aboveBytes: 1 })).toThrow(invalid);
  });
});

describe("offloading", () => {
  const large = JSON.stringify("x".repeat(1_000));
  const offloading = (store: MemoryBlobs) => chainOf(offload({ store, aboveBytes: 256 }));

  test("keeps a reference in the history and the bytes elsewhere, by run", async () => {
    const store = new MemoryBlobs();
    const encoded = await offloading(store).encode(large, place);
    expect(String(encoded).length).toBeLessThan(150);
    expect([...store.blobs.keys()]).toEqual([expect.stringMatching(/^01JZ0{22}\/[0-9a-f]{64}$/)]);
    expect(await offloading(store).decode(encoded, place)).toBe(large);
    const hostile = mailPlace({ workflowId: "../../etc" }, { kind: "signal", mailId: "signal:1", name: "approve" });
    await offloading(store).encode(large, hostile);
    for (const key of store.blobs.keys()) expect(key).toMatch(/^[0-9A-Za-z-]+\/[0-9a-f]{64}$/);
  });

  test("finds out that a blob is gone or changed, and that a reference is none", async () => {
    const store = new MemoryBlobs();
    const encoded = await offloading(store).encode(large, place);
    const [key = ""] = store.blobs.keys();
    store.blobs.set(key, Buffer.from(JSON.stringify("other")));
    await expect(offloading(store).decode(encoded, place)).rejects.toMatchObject(UNREADABLE);
    store.blobs.delete(key);
    await expect(offloading(store).decode(encoded, place)).rejects.toMatchObject(UNREADABLE);
    const damaged = writeEncoded({ by: ["offloaded"], data: Buffer.from("../../etc/passwd") });
    await expect(offloading(store).decode(damaged, place)).rejects.toMatchObject(UNREADABLE);
  });

  test("takes an unreachable blob store for an outage", async () => {
    const away = { put: () => Promise.reject(new Error("503")), get: () => Promise.reject(new Error("503")) };
    await expect(chainOf(offload({ store: away, aboveBytes: 256 })).encode(large, place)).rejects.toMatchObject({
      code: "CODEC_FAILED",
    });
  });

  test("lets go of what it keeps of a run where its store can, and says nothing of it where that cannot", async () => {
    const blobs = new MemoryBlobs();
    const runId = "01JZ0000000000000000000000";
    const chain = chainOf(offload({ store: blobs, aboveBytes: 32 }));
    await chain.encode(JSON.stringify("x".repeat(100)), place);
    expect([chain.canForget, chain.isKeptElsewhere(["offloaded"]), chain.isKeptElsewhere(["gzip"])]).toEqual([
      true,
      true,
      false,
    ]);
    await chain.forget("another");
    expect(blobs.of(runId)).toHaveLength(1);
    await chain.forget(runId);
    expect(blobs.of(runId)).toEqual([]);
    const bare = chainOf(
      offload({ store: { put: async () => {}, get: async () => undefined } }),
      ...allCodecs().slice(0, 2),
    );
    expect(bare.canForget).toBe(false);
  });

  test("keeps blobs in a folder that only its owner can read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "everstep-blobs-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const blobs = directoryBlobs(join(folder, "blobs"));
    const key = { run: "run-1", hash: "ab" };
    expect(await blobs.get(key)).toBeUndefined();
    await blobs.put(key, Buffer.from("kept"));
    await blobs.put(key, Buffer.from("kept"));
    expect(Buffer.from((await blobs.get(key)) ?? []).toString()).toBe("kept");
    expect(await readdir(join(folder, "blobs", "run-1"))).toEqual(["ab"]);
    expect((await stat(join(folder, "blobs", "run-1", "ab"))).mode & 0o077).toBe(0);
    await blobs.put({ ...key, run: "run-2" }, Buffer.from("another's"));
    for (const _ of ["there", "gone"]) await blobs.delete?.("run-1");
    expect(await blobs.get(key)).toBeUndefined();
    expect(await readdir(join(folder, "blobs"))).toEqual(["run-2"]);
    await writeFile(join(folder, "not-a-folder"), "");
    await expect(directoryBlobs(join(folder, "not-a-folder")).get(key)).rejects.toMatchObject({ code: "ENOTDIR" });
  });
});
