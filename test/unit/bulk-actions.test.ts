// The words of `everstep bulk`, and what each of them takes.

import { expect, test } from "vitest";
import { actionOf, BULK_ACTIONS } from "../../runtime/cli/bulk-actions.ts";
import type { Bulk } from "../../sdk/client/bulk.ts";

/** Answers each call with the name of the method and what it was given. */
const recorder = new Proxy({} as Bulk, {
  get:
    (_, method) =>
    (...given: unknown[]) => [method, ...given],
});

test.each([
  ["pause", undefined, {}, ["pause", "paused from the command line"]],
  ["cancel", undefined, { reason: "over" }, ["cancel", "over"]],
  ["terminate", undefined, { reason: "over" }, ["terminate", "over"]],
  ["resume", undefined, {}, ["resume"]],
  ["unblock", undefined, {}, ["unblock"]],
  ["signal", "approve", { input: "[1]" }, ["signal", expect.objectContaining({ name: "approve" }), [1]]],
  ["retry-now", undefined, {}, ["retryNow", undefined]],
  ["retry-now", "charge", {}, ["retryNow", "charge"]],
  ["skip-sleep", "sleep", {}, ["skipSleep", "sleep"]],
  ["complete-step", "sign", { result: '"Ann"' }, ["completeStep", "sign", "Ann"]],
  [
    "fail-step",
    "sign",
    { message: "no", final: true },
    ["failStep", "sign", expect.objectContaining({ message: "no" })],
  ],
  ["move", "2.0.0", {}, ["moveTo", "2.0.0"]],
  ["move", "none", {}, ["moveTo", null]],
  ["retry", undefined, { dropSignals: true }, ["retryFrom", undefined, { signals: "drop" }]],
  ["retry", undefined, { shareUndone: true }, ["retryFrom", undefined, { signals: "keep", undone: "share" }]],
  ["reset", undefined, { at: 3 }, ["reset", { signals: "keep", at: 3 }]],
  ["fork", undefined, { at: 3 }, ["fork", { signals: "keep", at: 3 }]],
] as const)("%s %s %j", (word, name, options, called) => {
  expect(actionOf(word, name, options)(recorder)).toEqual(called);
});

test("a fork is named after its source", () => {
  const [, options] = actionOf("fork", undefined, { suffix: "-2" })(recorder) as unknown as [
    string,
    (run: { workflowId: string }) => unknown,
  ];
  expect(options({ workflowId: "order" })).toEqual({ signals: "keep", id: "order-2" });
});

test.each([
  ["dance", undefined, {}, 'There is no "dance" in bulk. There is: pause, '],
  ["constructor", undefined, {}, 'There is no "constructor" in bulk.'],
  ["signal", undefined, {}, "bulk signal takes the name of what is meant."],
  ["pause", "charge", {}, 'bulk pause takes no name; got "charge".'],
  ["pause", undefined, { suffix: "x" }, 'bulk pause does not take the option "suffix".'],
  ["complete-step", "sign", { result: "{" }, "--result takes JSON"],
] as const)("%s %s %j is refused", (word, name, options, message) => {
  expect(() => actionOf(word, name, options)).toThrow(message);
  expect(() => actionOf(word, name, options)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test("all that a bulk can do has a word", () => {
  expect(BULK_ACTIONS).toHaveLength(14);
});
