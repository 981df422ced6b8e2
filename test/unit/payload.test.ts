import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import { decodePayload, encodePayload, hashPayload } from "../../sdk/protocol/payload.ts";

function roundTrip(value: unknown): unknown {
  return decodePayload(encodePayload(value, "result"), "result");
}

function refusal(value: unknown, limits = {}): string {
  try {
    encodePayload(value, "result", limits);
  } catch (error) {
    if (isEverstepError(error)) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error("it was accepted");
}

const key = fc.oneof(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom(
    "constructor",
    "prototype",
    "__proto__",
    "~constructor",
    "~~__proto__",
    "~stack",
    "$everstep",
    "a.b",
    "a\\.b",
    "\\",
    "0",
    "",
  ),
);

const scalar = fc.oneof(
  fc.constantFrom(null, true, false),
  fc.string({ unit: "binary" }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.integer(),
);

const richScalar = fc.oneof(
  scalar,
  fc.constant(undefined),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.webUrl().map((url) => new URL(url)),
  fc.uint8Array(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.uint8Array().map((bytes) => bytes.slice().buffer),
  fc.float64Array(),
  fc.bigInt64Array(),
);

// fc.dictionary and fc.record leave `__proto__` to assignment; entries do not.
function record(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.array(fc.tuple(key, value), { maxLength: 5 }).map((entries) => Object.fromEntries(entries));
}

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 5 }),
    record(tie("value")),
  ),
})).value;

const rich = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    richScalar,
    fc.array(tie("value"), { maxLength: 5 }),
    record(tie("value")),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 4 }).map((values) => new Set(values)),
    fc.tuple(fc.string(), tie("value"), record(scalar)).map(([message, cause, own]) => {
      const error = new RangeError(message, { cause });
      for (const [name, value] of Object.entries(own as object)) {
        if (["name", "message", "stack", "cause", "errors"].includes(name)) continue;
        Object.defineProperty(error, name, { value, enumerable: true, writable: true, configurable: true });
      }
      return error;
    }),
  ),
})).value;

describe("what is stored comes back", () => {
  test("any plain value, as plain JSON", () => {
    fc.assert(
      fc.property(plain, (value) => {
        const payload = encodePayload(value, "result") as string;
        deepStrictEqual(decodePayload(payload, "result"), value);
        const hasOwnMarker = typeof value === "object" && value !== null && Object.hasOwn(value, "$everstep");
        if (!hasOwnMarker) expect(payload).toBe(JSON.stringify(value));
      }),
      { numRuns: 500 },
    );
  });

  test("any rich value", () => {
    fc.assert(
      fc.property(rich, (value) => {
        // Not toStrictEqual: it takes an own key "constructor" for the class.
        deepStrictEqual(roundTrip(value), value);
      }),
      { numRuns: 1_000 },
    );
  });

  test("without control characters in the stored form", () => {
    fc.assert(
      fc.property(rich, (value) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        expect(encodePayload(value, "result") ?? "").not.toMatch(/[\u0000-\u001f]/);
      }),
    );
  });

  test("and encodes to the same text again", () => {
    fc.assert(
      fc.property(rich, (value) => {
        const payload = encodePayload(value, "result");
        expect(encodePayload(decodePayload(payload, "result"), "result")).toBe(payload);
      }),
    );
  });

  test("undefined is no payload, in objects and arrays it stays undefined", () => {
    expect(encodePayload(undefined, "result")).toBeNull();
    expect(roundTrip({ a: undefined, b: [undefined, 1] })).toStrictEqual({ a: undefined, b: [undefined, 1] });
  });

  test("an error with name, message, stack, cause and fields of its own", () => {
    const inner = new TypeError("inner");
    const error = Object.assign(new Error("outer", { cause: inner }), { code: "E_OUTER", at: new Date(5) });
    error.name = "PaymentError";
    const back = roundTrip(error) as Error & { code: string; at: Date };
    expect(back).toBeInstanceOf(Error);
    expect([back.name, back.message, back.stack, back.code, back.at]).toEqual([
      "PaymentError",
      "outer",
      error.stack,
      "E_OUTER",
      new Date(5),
    ]);
    expect(back.cause).toBeInstanceOf(TypeError);
    expect((back.cause as Error).message).toBe("inner");
  });

  test("bytes take base64, not arrays of numbers, and keep their kind", () => {
    expect((encodePayload(new Uint8Array(3_000), "result") as string).length).toBeLessThan(4_200);
    expect(Buffer.isBuffer(roundTrip(Buffer.from("hey")))).toBe(true);
    const view = new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2);
    const back = roundTrip({ view }) as { view: DataView };
    expect([back.view.byteLength, back.view.getUint8(0)]).toEqual([2, 2]);
    expect((roundTrip(new Float32Array([1.5])) as Float32Array).buffer.byteLength).toBe(4);
  });

  test("keys that superjson refuses are data in both forms, and touch no prototype", () => {
    for (const extra of [{}, { at: new Date(0) }]) {
      const value = {
        ...JSON.parse('{"constructor":"Ferrari","prototype":1,"in":{"__proto__":{"isAdmin":true}}}'),
        ...extra,
      };
      const back = roundTrip(value) as { in: object };
      deepStrictEqual(back, value);
      expect(Object.hasOwn(back.in, "__proto__")).toBe(true);
      expect((back.in as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    }
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test("an object that looks like an envelope is stored as what it is", () => {
    const value = { $everstep: "rich", json: 1, values: ["Date"] };
    expect(roundTrip(value)).toStrictEqual(value);
  });

  test("toJSON is honoured as by JSON.stringify, and asked once", () => {
    let asked = 0;
    class Money {
      toJSON(k: string) {
        asked++;
        return { cents: 5, k };
      }
    }
    expect(roundTrip({ price: new Money() })).toStrictEqual({ price: { cents: 5, k: "price" } });
    expect(asked).toBe(1);
    expect(roundTrip({ at: { toJSON: () => new Date(1) } })).toStrictEqual({ at: new Date(1) });
  });

  test("a getter is read once, whichever form the value takes", () => {
    for (const extra of [undefined, 1]) {
      let reads = 0;
      const value = {
        get count() {
          return ++reads;
        },
        extra,
      };
      expect(roundTrip(value)).toStrictEqual({ count: 1, extra });
      expect(reads).toBe(1);
    }
  });

  test("shared values come back as copies from either form", () => {
    for (const shared of [{ n: 1 }, { n: 1n }]) {
      const back = roundTrip([shared, shared]) as [object, object];
      expect(back).toStrictEqual([shared, shared]);
      expect(back[0]).not.toBe(back[1]);
    }
  });
});

describe("what cannot be stored is refused with its path", () => {
  class Order {
    readonly id = 1;
  }
  const cyclic: { a: { list: unknown[] } } = { a: { list: [] } };
  cyclic.a.list.push(cyclic);
  const selfCause = new Error("self");
  selfCause.cause = selfCause;
  const returnsItself = new (class Loop {
    toJSON(): unknown {
      return this;
    }
  })();

  test.each<[unknown, string]>([
    [{ items: [1, 2, 3, { onDone() {} }] }, "result.items[3].onDone cannot be stored: it is a function (onDone)"],
    [{ "odd key": Symbol("s") }, 'result["odd key"] cannot be stored: it is a symbol'],
    [new Map([["k", { f: () => 1 }]]), 'result.get("k").f cannot be stored: it is a function'],
    [new Map([[{ r: /x/ }, 1]]), "result.keys()[0].r cannot be stored: it is a RegExp"],
    [new Set([1, new WeakMap()]), "result.values()[1] cannot be stored: it is a WeakMap"],
    [[Promise.resolve(1)], "result[0] cannot be stored: it is a promise. Did you forget an await?"],
    [cyclic, "result.a.list[0] cannot be stored: it is a cycle, back to result."],
    [selfCause, "result.cause cannot be stored: it is a cycle, back to result."],
    [{ order: new Order() }, "result.order cannot be stored: it is an instance of Order"],
    [{ loop: returnsItself }, "result.loop cannot be stored: it is an instance of Loop"],
    [new Date(Number.NaN), "result cannot be stored: it is an invalid Date"],
    [{ n: 10n ** 10_000n }, "result.n cannot be stored: it is a BigInt of more than 10000 digits"],
    [new Uint8Array(new SharedArrayBuffer(4)), "result cannot be stored: it is an instance of Uint8Array"],
    [new Array(4e9), "result cannot be stored: with it the payload holds more than 1000000 values"],
  ])("case %#", (value, message) => {
    expect(refusal(value)).toContain(`PAYLOAD_UNSERIALIZABLE ${message}`);
  });

  test("a proxy that was revoked", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal({ proxy })).toContain("result.proxy cannot be stored: reading it threw TypeError");
  });

  test("a getter that throws, after one reading", () => {
    let reads = 0;
    const value = {
      a: {
        get b(): never {
          reads++;
          throw new Error("no");
        },
      },
    };
    expect(refusal(value)).toContain("result.a.b cannot be stored: reading it threw Error: no");
    expect(reads).toBe(1);
  });

  test("nesting past 200 levels, and 100,000 levels alike", () => {
    const nest = (levels: number) => {
      let value: unknown[] = [];
      for (let i = 1; i < levels; i++) value = [value];
      return value;
    };
    expect(roundTrip(nest(200))).toStrictEqual(nest(200));
    expect(refusal(nest(201))).toContain("it is nested more than 200 levels deep");
    expect(refusal(nest(100_000))).toContain("it is nested more than 200 levels deep");
  });

  test("200 levels of the costliest containers still come back", () => {
    let errors: unknown = 1n;
    let maps: unknown = 1n;
    for (let i = 0; i < 200; i++) {
      errors = new Error(`${i}`, { cause: errors });
      Object.defineProperty(errors, "stack", { value: "" });
      maps = new Map([[maps, i]]);
    }
    expect((roundTrip(errors) as Error).message).toBe("199");
    expect(roundTrip(maps)).toStrictEqual(maps);
  });

  test("a graph that unfolds without end in sight", () => {
    let value: unknown[] = [1];
    for (let i = 0; i < 60; i++) value = [value, value];
    expect(refusal(value)).toContain("more than 1000000 values");
  });

  test("rich values in numbers that superjson should not be asked for", () => {
    expect(refusal([new Date(0), ...new Array<number>(100_000).fill(1)])).toContain("the limit is 100000");
  });

  test("size, counted in UTF-8 bytes of the stored form", () => {
    expect(encodePayload("é".repeat(10), "result", { maxBytes: 22 })).toHaveLength(12);
    expect(refusal("é".repeat(10), { maxBytes: 21 })).toBe(
      "PAYLOAD_TOO_LARGE result takes 22 bytes in stored form; the limit is 21. Keep large data in a store of your own and pass a reference to it.",
    );
    expect(refusal({ file: new Uint8Array(3_000_000) })).toContain(
      "PAYLOAD_TOO_LARGE result takes at least 4000004 bytes",
    );
    expect(refusal("x".repeat(3_000_000))).toContain("PAYLOAD_TOO_LARGE");
  });
});

describe("hashes of stored inputs", () => {
  test("stay what they are: histories hold them", () => {
    expect(hashPayload(null)).toBe("67fc4425d7d009e1");
    expect(hashPayload('{"a":1}')).toBe("de3034b77cc1d846");
    expect(hashPayload("")).not.toBe(hashPayload(null));
  });

  test("differ for different texts", () => {
    const hashes = new Set<string>();
    for (let i = 0; i < 50_000; i++) hashes.add(hashPayload(`{"id":${i}}`));
    expect(hashes.size).toBe(50_000);
  });

  test("do not see the stacks of errors, and nothing else less", () => {
    const error = (stack: string, message = "m") => {
      const made = new Error(message);
      made.stack = stack;
      return hashPayload(encodePayload({ error: made, "~stack": message }, "input"));
    };
    expect(error('at "C:\\app\\one.js"')).toBe(error("at /srv/two.js"));
    expect(error("same", "a")).not.toBe(error("same", "b"));
    const own = (text: string) => hashPayload(encodePayload({ "~stack": text, at: new Date(0) }, "input"));
    expect(own("a")).not.toBe(own("b"));
  });
});
