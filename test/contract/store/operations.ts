// Random lists of operations on a store, as plain data: the same list can be done to any store. They name runs and
// workers by small numbers and are blind to the answers, so most meet a store in a state that nobody thought of.

import fc from "fast-check";
import type { StoredAttribute } from "../../../sdk/protocol/attributes.ts";

/** Counted from the newest start, or for what needs a claim, from the newest claim. */
const run = fc.nat({ max: 3 });
const worker = fc.constantFrom(0, 0, 0, 1, 2);
const workflow = fc.nat({ max: 3 });
const moment = fc.constantFrom("past", "past", "later", null, null, null);
const closing = fc.constantFrom("completed", "failed", "canceled", ...Array<null>(12).fill(null));
/** Which of the claims ever got for a run: mostly its newest. */
const claimsAgo = fc.constantFrom(0, 0, 0, 0, 1);
const timer = fc.constantFrom(null, { command: 600, name: "" }, { command: 601, name: "due\n\u{1F600}" });
const mailId = fc.nat({ max: 5 });
const mailKind = fc.constantFrom("signal", "cancel", "update");

/** Few names and few values, so that they meet. */
const attribute = fc.constantFrom<StoredAttribute | null>(
  null,
  ["keyword", "a"],
  ["keyword", "b"],
  ["int", 1],
  ["double", 1],
  ["double", -2.5],
  ["bool", true],
  ["datetime", 1_750_000_000_000],
  ["text", "a b\n\u{1F600}"],
  ["text", "a\uFF01"],
  ["keywordList", ["b", "a", "b"]],
  ["keywordList", ["a"]],
);
const changes = fc.record({
  attributes: fc.dictionary(fc.constantFrom("one", "two"), attribute, { maxKeys: 2 }),
  memo: fc.dictionary(fc.constantFrom("one", "two"), fc.constantFrom(null, "memo", { deep: [1] }), { maxKeys: 2 }),
});

const operations = {
  start: fc.record({
    workflow,
    onConflict: fc.constantFrom(...Array<"fail">(4).fill("fail"), "useExisting", "useExisting", "terminateExisting"),
    onReuse: fc.constantFrom("allow", "allowIfFailed", "reject"),
    requestId: fc.option(fc.nat({ max: 3 }), { freq: 2 }),
    isDelayed: fc.constantFrom(true, false, false, false, false),
    signal: fc.option(mailId, { freq: 2 }),
    changes: fc.option(changes, { freq: 2 }),
  }),
  claim: fc.record({ worker, suspects: fc.constantFrom("exclude", "exclude", "only") }),
  /** Claims all there is, suspects too, and is lost with it. */
  crash: fc.record({ worker }),
  claimBlocked: fc.record({ worker }),
  append: fc.record({
    run,
    claimsAgo,
    drift: fc.constantFrom(0, 0, 0, 0, 0, -1, 1),
    steps: fc.integer({ min: 1, max: 3 }),
    takesMail: fc.constantFrom(true, true, true, false),
    close: closing,
    notBefore: moment,
    upserts: fc.option(changes, { freq: 2 }),
  }),
  continue: fc.record({ run, claimsAgo, passesOn: fc.boolean() }),
  resend: fc.record({ run }),
  appendInTransaction: fc.record({ run, claimsAgo, throws: fc.boolean(), upserts: fc.option(changes, { freq: 2 }) }),
  mail: fc.record({ to: fc.oneof(fc.record({ run }), fc.record({ workflow })), mailId, kind: mailKind }),
  park: fc.record({ run, claimsAgo, wakeAt: moment, timer }),
  release: fc.record({ run, claimsAgo }),
  block: fc.record({ run, claimsAgo }),
  beat: fc.record({ run, claimsAgo, command: fc.integer({ min: 500, max: 502 }) }),
  rescue: fc.record({ worker }),
  control: fc.record({ run, kind: fc.constantFrom("pause", "resume", "resume", "unblock", "unblock") }),
  move: fc.record({ run, version: fc.constantFrom("1.0.0", "2.0.0", null, null) }),
  terminate: fc.record({ run }),
  delete: fc.record({ run }),
  ask: fc.record({ run }),
  answer: fc.record({ worker }),
} as const;

type Operations = typeof operations;
export type OperationName = keyof Operations;
type Asked<Name extends OperationName> = Operations[Name] extends fc.Arbitrary<infer T> ? T : never;
export type Operation = { [Name in OperationName]: { readonly do: Name } & Readonly<Asked<Name>> }[OperationName];

/** How often each is drawn: enough of what moves a run that the others meet runs in every state. */
const WEIGHTS: Readonly<Record<OperationName, number>> = {
  start: 5,
  claim: 14,
  crash: 4,
  claimBlocked: 2,
  append: 16,
  continue: 3,
  resend: 3,
  appendInTransaction: 2,
  mail: 4,
  park: 6,
  release: 2,
  block: 2,
  beat: 2,
  rescue: 3,
  control: 4,
  move: 2,
  terminate: 1,
  delete: 1,
  ask: 2,
  answer: 2,
};

function drawn<Name extends OperationName>(name: Name): fc.WeightedArbitrary<Operation> {
  const asked: fc.Arbitrary<object> = operations[name];
  return { weight: WEIGHTS[name], arbitrary: asked.map((fields) => ({ do: name, ...fields }) as Operation) };
}

const anything = fc.oneof(...(Object.keys(operations) as OperationName[]).map(drawn));

/** Begins with something to work on. */
export const randomOperations: fc.Arbitrary<Operation[]> = fc
  .tuple(
    fc.array(drawn("start").arbitrary, { minLength: 2, maxLength: 5 }),
    fc.array(anything, { minLength: 20, maxLength: 120, size: "max" }),
  )
  .map(([starts, rest]) => [...starts, ...rest]);
