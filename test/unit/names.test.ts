import { describe, expect, test } from "vitest";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";

test.each(["a", "order/v2", "réserver 予約 🚆", " spaced ", "x".repeat(200)])("%s is a name", (name) => {
  expect(() => assertName(name, "step(name)")).not.toThrow();
});

test("workflow ids may be five times as long as names", () => {
  expect(() => assertWorkflowId("x".repeat(1_000), "id")).not.toThrow();
  expect(() => assertWorkflowId("x".repeat(1_001), "id")).toThrow(
    "id is 1001 characters long; at most 1000 are allowed.",
  );
  expect(() => assertName("x".repeat(201), "step(name)")).toThrow(
    "step(name) is 201 characters long; at most 200 are allowed.",
  );
});

describe("what is refused says which argument and why", () => {
  test.each<[unknown, string]>([
    ["", "step(name) must not be empty."],
    [undefined, "step(name) must be a string; got undefined."],
    [null, "step(name) must be a string; got null."],
    [5, "step(name) must be a string; got number."],
    ["a\u0000b", "step(name) holds a control character (U+0000 at position 1), which is not allowed."],
    ["line\nbreak", "step(name) holds a control character (U+000A at position 4), which is not allowed."],
    ["\u007f", "step(name) holds a control character (U+007F at position 0), which is not allowed."],
    ["\u009b31m", "step(name) holds a control character (U+009B at position 0), which is not allowed."],
    ["🚆\ud83d", "step(name) holds half a surrogate pair (U+D83D at position 2), which is not allowed."],
    ["\udea6", "step(name) holds half a surrogate pair (U+DEA6 at position 0), which is not allowed."],
  ])("%j", (name, message) => {
    expect(() => assertName(name, "step(name)")).toThrow(message);
    expect(() => assertName(name, "step(name)")).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  });
});
