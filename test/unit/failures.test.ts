import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import {
  ApplicationFailure,
  CanceledFailure,
  fromFailure,
  fromStepFailed,
  isCanceled,
  MAX_CAUSES,
  MAX_FAILURE_BYTES,
  PermanentError,
  RetryableError,
  StepFailure,
  TerminatedFailure,
  TimeoutFailure,
  toFailure,
} from "../../sdk/protocol/failures.ts";

const bytesOf = (failure: Failure) => Buffer.byteLength(JSON.stringify(failure));

function causesOf(failure: Failure): Failure[] {
  return failure.cause === undefined ? [failure] : [failure, ...causesOf(failure.cause)];
}

function chain(length: number, message = "m"): Error {
  let error = new Error(`${message} 1`);
  for (let i = 2; i <= length; i++) error = new Error(`${message} ${i}`, { cause: error });
  return error;
}

/** Stored and loaded, as a failure is between two processes. */
function travel(error: unknown): Error {
  return fromFailure(JSON.parse(JSON.stringify(toFailure(error))) as Failure);
}

describe("an error becomes a failure", () => {
  test("with its name, message, stack and cause", () => {
    const error = new RangeError("outer", { cause: new TypeError("inner") });
    expect(toFailure(error)).toMatchObject({
      kind: "application",
      type: "RangeError",
      message: "outer",
      retryable: true,
      stack: error.stack,
      cause: { type: "TypeError", message: "inner" },
    });
  });

  test("whose type is the name it has, else the name of its class", () => {
    class CardDeclined extends Error {}
    class BadCard extends TypeError {}
    class Renamed extends Error {
      override readonly name = "AnotherName";
    }
    const named = Object.assign(new Error("x"), { name: "Named" });
    expect(
      [new CardDeclined(), new BadCard(), new Renamed(), named, new Error()].map((error) => toFailure(error).type),
    ).toEqual(["CardDeclined", "BadCard", "AnotherName", "Named", "Error"]);
    expect(toFailure(AbortSignal.abort().reason).type).toBe("AbortError");
  });

  test("with the code that Node and database drivers give it", () => {
    const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    expect(toFailure(refused).code).toBe("ECONNREFUSED");
    expect(travel(refused)).toMatchObject({ name: "Error", code: "ECONNREFUSED" });
  });

  test("whatever was thrown", () => {
    expect(toFailure("plain text")).toEqual({
      kind: "application",
      type: "NonError",
      message: "a string was thrown, not an Error: plain text",
      retryable: true,
      details: '"plain text"',
    });
    expect(toFailure({ status: 500 })).toMatchObject({ type: "NonError", details: '{"status":500}' });
    expect(toFailure(undefined)).toEqual({
      kind: "application",
      type: "NonError",
      message: "a undefined was thrown, not an Error: undefined",
      retryable: true,
    });
    expect(toFailure(() => 1).type).toBe("NonError");
    expect(toFailure(Symbol("s")).message).toContain("Symbol(s)");
  });

  test("with the errors of an AggregateError in its message, the first as its cause", () => {
    const error = new AggregateError([new TypeError("a"), new Error("b"), "c"], "all failed");
    expect(toFailure(error)).toMatchObject({
      type: "AggregateError",
      message: "all failed [3 errors: TypeError: a; Error: b; c]",
      cause: { type: "TypeError" },
    });
  });
});

describe("a failure is bounded", () => {
  test("in a message of 10 MB", () => {
    const failure = toFailure(new Error("x".repeat(10_000_000)));
    expect(failure.message.length).toBeLessThanOrEqual(8_000);
    expect(failure.message).toMatch(/x… \(10000000 characters\)$/);
    expect(bytesOf(failure)).toBeLessThan(MAX_FAILURE_BYTES);
  });

  test("in a chain of causes", () => {
    const causes = causesOf(toFailure(chain(500)));
    expect(causes).toHaveLength(MAX_CAUSES + 1);
    expect(causes.at(-2)).toMatchObject({ message: "m 491" });
    expect(causes.at(-1)).toMatchObject({ type: "Omitted", message: "further causes are left out" });
    expect(causesOf(toFailure(chain(MAX_CAUSES))).at(-1)).toMatchObject({ message: "m 1" });
  });

  test("in a cycle of causes", () => {
    const a = new Error("a");
    const b = new Error("b", { cause: a });
    a.cause = b;
    expect(causesOf(toFailure(a)).map((failure) => failure.message)).toEqual([
      "a",
      "b",
      "this cause is one of the errors above: the chain is a cycle",
    ]);
  });

  test("in texts that grow when they are stored", () => {
    const failure = toFailure(chain(20, "\u0001\ud800".repeat(10_000)));
    expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES);
    expect(failure.message.length).toBeGreaterThan(1_000);
  });

  test("in details", () => {
    const failure = toFailure(new PermanentError("no", { details: { blob: "x".repeat(100_000) } }));
    expect(failure.details).toContain('{"leftOut":"details takes');
    expect(toFailure(new PermanentError("no", { details: { f: () => 1 } })).details).toContain(
      "details.f cannot be stored",
    );
  });

  test("for any chain of any errors, and comes back the same", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .tuple(fc.string({ unit: "binary", minLength: 1, maxLength: 5 }), fc.nat(12_000))
        .map(([part, times]) => part.repeat(times)),
    );
    const link = fc.tuple(
      fc.constantFrom("error", "named", "application", "permanent", "timeout", "step", "everstep", "value"),
      text,
      text,
    );
    fc.assert(
      fc.property(fc.array(link, { minLength: 1, maxLength: 15 }), (links) => {
        let error: unknown;
        for (const [kind, message, word] of links) {
          const cause = error === undefined ? {} : { cause: error };
          if (kind === "error") error = new Error(message, cause);
          else if (kind === "named") error = Object.assign(new Error(message, cause), { name: word, code: word });
          else if (kind === "application")
            error = new ApplicationFailure(message, { ...cause, type: word, details: { word } });
          else if (kind === "permanent")
            error = new PermanentError(message, { ...cause, details: [word, new Date(0)] });
          else if (kind === "timeout") error = new TimeoutFailure("heartbeat", message, cause);
          else if (kind === "step") error = new StepFailure(message, { ...cause, step: word, attempts: 3 });
          else if (kind === "everstep")
            error = new EverstepError("RUN_CLOSED", message, { ...cause, details: { word } });
          else error = { message, cause };
        }
        const failure = toFailure(error);
        expect(bytesOf(failure)).toBeLessThanOrEqual(MAX_FAILURE_BYTES);
        expect(toFailure(fromFailure(failure))).toEqual(failure);
      }),
      { numRuns: 200 },
    );
  });
});

test("errors that resist being read are survived", () => {
  const hostile = new Error("x");
  // The stack first: to define it, Node formats the old one, name and message included.
  for (const key of ["stack", "name", "message", "cause", "code", "constructor", "errors"]) {
    Object.defineProperty(hostile, key, {
      get() {
        throw new Error(`no ${key}`);
      },
    });
  }
  expect(toFailure(hostile)).toMatchObject({ kind: "application", type: "Error", message: "undefined" });

  const traps = new Proxy(new Error("x"), {
    get() {
      throw new Error("get");
    },
    getOwnPropertyDescriptor() {
      throw new Error("descriptor");
    },
    getPrototypeOf() {
      throw new Error("prototype");
    },
  });
  expect(toFailure(traps).type).toBe("NonError");
  expect(toFailure(Object.assign(new Error("odd"), { message: { a: 1 }, name: 7 })).message).toBe('{"a":1}');
});

describe("a failure becomes an error again", () => {
  test("of the language's own class, or under its own name", () => {
    class CardDeclined extends Error {}
    const original = new CardDeclined("no funds", { cause: new TypeError("inner") });
    const back = travel(original);
    expect(back).toBeInstanceOf(ApplicationFailure);
    expect([back.name, back.message, back.stack]).toEqual(["CardDeclined", "no funds", original.stack]);
    expect(back.cause).toBeInstanceOf(TypeError);
    expect(`${back}`).toBe("CardDeclined: no funds");
  });

  test("with what its thrower attached", () => {
    const back = travel(
      new RetryableError("busy", { retryAfter: "2m", type: "Busy", details: { until: new Date(9) } }),
    );
    expect(back).toMatchObject({ name: "Busy", type: "Busy", retryable: true, retryAfterMs: 120_000 });
    expect((back as ApplicationFailure).details).toEqual({ until: new Date(9) });
    const permanent = travel(new PermanentError("gone"));
    expect(permanent).toMatchObject({ name: "PermanentError", retryable: false });
  });

  test("of the class of its kind", () => {
    const timeout = travel(new TimeoutFailure("attempt", "late"));
    expect(timeout).toBeInstanceOf(TimeoutFailure);
    expect(timeout).toMatchObject({ name: "TimeoutFailure", timeout: "attempt", retryable: true });
    expect(travel(new TimeoutFailure("total", "late"))).toMatchObject({ timeout: "total", retryable: false });
    expect(travel(new CanceledFailure("stop"))).toBeInstanceOf(CanceledFailure);
    expect(travel(new TerminatedFailure("stop"))).toBeInstanceOf(TerminatedFailure);
    const error = travel(new EverstepError("PAYLOAD_TOO_LARGE", "big", { details: { size: 3 } }));
    expect(error).toBeInstanceOf(EverstepError);
    expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", retryable: false, details: { size: 3 } });
  });
});

describe("what workflow code catches from a step", () => {
  test("is a StepFailure caused by what the last attempt threw", () => {
    const failure = toFailure(new PermanentError("no funds", { type: "CardDeclined" }));
    const caught = fromStepFailed({ name: "charge", attempt: 3, failure });
    expect(caught).toBeInstanceOf(StepFailure);
    expect(caught).toMatchObject({
      step: "charge",
      attempts: 3,
      message: 'step "charge" failed after 3 attempts: CardDeclined: no funds',
    });
    expect(caught.cause).toMatchObject({ name: "CardDeclined", message: "no funds" });
    expect(travel(caught)).toMatchObject({
      name: "StepFailure",
      step: "charge",
      attempts: 3,
      cause: { name: "CardDeclined" },
    });
  });

  test("names a plain error by its message alone", () => {
    const caught = fromStepFailed({ name: "charge", attempt: 1, failure: toFailure(new Error("boom")) });
    expect(caught.message).toBe('step "charge" failed: boom');
  });

  test("is a CanceledFailure when the step was canceled", () => {
    const caught = fromStepFailed({ name: "charge", attempt: 1, failure: toFailure(new CanceledFailure("asked to")) });
    expect(caught).toBeInstanceOf(CanceledFailure);
  });

  test("is canceled when it, or what caused the step to fail, is a cancellation", () => {
    const canceled = new CanceledFailure("asked to");
    expect(isCanceled(canceled)).toBe(true);
    expect(isCanceled(new StepFailure("x", { step: "a", cause: canceled }))).toBe(true);
    expect(isCanceled(new StepFailure("x", { step: "a", cause: new Error("y") }))).toBe(false);
    expect(isCanceled(new Error("x", { cause: canceled }))).toBe(false);
    expect(isCanceled(undefined)).toBe(false);
  });
});

test("a retryAfter that is no duration is refused where it is given", () => {
  expect(() => new RetryableError("x", { retryAfter: -1 })).toThrow(
    "RetryableError({ retryAfter }): -1 is not a length of time",
  );
});
