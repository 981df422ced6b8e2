// Whatever an event holds, what is read back is what was written.

import fc from "fast-check";
import { expect, test } from "vitest";
import { EVENT_CODES, type EventType, isClosing, isClosingCode } from "../../sdk/protocol/event.ts";
import { fromRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import { isClosed, STATUS_CODES } from "../../sdk/protocol/run.ts";

const text = fc.string({ unit: "grapheme" });
const count = fc.integer({ min: 1 });
const payload = fc.option(fc.json());
const failure = fc.record({
  kind: fc.constantFrom("application", "step", "child", "timeout", "canceled", "terminated"),
  message: text,
  type: text,
  retryable: fc.boolean(),
});
const answer = { command: count, name: text };
const ended = { ...answer, attempt: count, inputHash: fc.option(text) };
const unread = fc.array(fc.record({ name: text, signalId: text }));

const reported = { mail: count, reportId: text };

const fields: Record<EventType, Record<string, fc.Arbitrary<unknown>>> = {
  RunStarted: {
    workflow: text,
    input: payload,
    seed: text,
    summary: text,
    details: text,
    headers: fc.dictionary(text, text),
  },
  StepCompleted: { ...ended, ...reported, result: payload },
  StepFailed: { ...ended, ...reported, failure },
  StepAttemptFailed: {
    ...answer,
    failure,
    attempt: count,
    delayMs: fc.nat(),
    firstAttemptAt: fc.nat(),
    heartbeat: payload,
  },
  StepDeferred: { ...ended, verifier: text, startedAt: fc.nat(), firstAttemptAt: fc.nat(), heartbeat: payload },
  StepReported: {
    ...answer,
    attempt: count,
    mail: count,
    reportId: text,
    report: fc.constantFrom("heartbeat", "ignored"),
    details: payload,
  },
  TimerStarted: { ...answer, due: fc.oneof(fc.record({ afterMs: fc.nat() }), fc.record({ atMs: fc.integer() })) },
  TimerFired: answer,
  StepRetried: { ...answer, attempt: count, mail: count, requestId: text },
  TimerSkipped: { ...answer, mail: count, requestId: text },
  RequestIgnored: { mail: count, requestId: text, request: fc.constantFrom("retryNow", "skipSleep") },
  SignalReceived: { name: text, signalId: text, mail: count, payload, isEarly: fc.boolean() },
  UpdateAccepted: { name: text, updateId: text, mail: count, input: payload },
  UpdateCompleted: { name: text, updateId: text, result: payload, failure: fc.constant(null) },
  CancelRequested: { mail: count, reason: text },
  RunPaused: { mail: count, reason: text },
  RunResumed: { mail: count },
  RunUnblocked: { mail: count, kind: text },
  RunAdopted: { mail: count, by: text },
  RunMoved: { mail: count, version: fc.option(text) },
  RunForked: {
    source: text,
    event: count,
    seed: text,
    isEdited: fc.boolean(),
    retried: fc.option(count),
    locks: fc.array(count),
  },
  PatchMarked: { name: text, since: count, isDeprecated: fc.boolean() },
  CompensationBegun: { since: count },
  AttributesUpserted: { ...answer, changes: payload },
  MemoUpserted: { ...answer, changes: payload },
  RunNoted: { ...answer, text },
  RunCompleted: { result: payload, unread },
  RunFailed: { failure, unread },
  RunCanceled: { failure, unread },
  RunTerminated: { reason: text },
  RunTimedOut: { timeoutMs: fc.nat() },
  ChildStarted: { ...answer, mail: count },
  ChildStartFailed: { ...answer, mail: count, failure },
  // Completed, or failed: two shapes of one type.
  ChildEnded: { ...answer, mail: count, result: payload, failure: fc.constant(null) },
  ChildRequested: { ...answer, inputHash: text, childRunId: text, childWorkflowId: text },
  ExternalDelivered: { ...answer, mail: count },
  ExternalFailed: { ...answer, mail: count, failure },
  ExternalRequested: { ...answer, inputHash: text },
  LockRequested: { ...answer, permits: count, capacity: count },
  LockGranted: { ...answer, mail: count, fencingToken: count },
  LockRegained: { ...answer, fencingToken: count },
  LockReleased: answer,
  RunContinued: { nextRunId: text, workflow: text, input: payload },
};

const acted = [
  "StepCompleted",
  "StepFailed",
  "StepReported",
  "StepRetried",
  "TimerSkipped",
  "RequestIgnored",
  "CancelRequested",
  "RunPaused",
  "RunResumed",
  "RunUnblocked",
  "RunMoved",
  "RunForked",
  "RunTerminated",
] as const satisfies EventType[];

test.each(acted)("%s comes back with who did it, and is as it was where nobody is named", (type) => {
  const anyEvent = fc.record({ type: fc.constant(type), seq: count, at: fc.nat(), ...fields[type] });
  fc.assert(
    fc.property(anyEvent, text, (event, actor) => {
      const record = toRecord({ ...event, actor } as never);
      const { seq, at } = event;
      expect(fromRecord({ ...record, seq, at })).toEqual({ ...event, actor });
      expect(toRecord(event as never).data ?? "").not.toContain('"actor"');
    }),
  );
});

test.each(Object.keys(fields) as EventType[])("%s comes back from its record as it was", (type) => {
  const anyEvent = fc.record({ type: fc.constant(type), seq: count, at: fc.nat(), ...fields[type] });
  fc.assert(
    fc.property(anyEvent, (event) => {
      const record = toRecord(event as never);
      expect(record.type).toBe(EVENT_CODES[type]);
      const { seq, at } = event;
      expect(fromRecord(JSON.parse(JSON.stringify({ ...record, seq, at })))).toEqual(event);
    }),
  );
});

test("RunForked comes back with the run that its source has the shared events from", () => {
  const forked = { type: "RunForked", source: "r", event: 3, seed: "s", isEdited: false, retried: null } as const;
  for (const event of [forked, { ...forked, origin: "q" }]) {
    expect(fromRecord({ seq: 4, at: 5, ...toRecord(event) })).toEqual({ seq: 4, at: 5, ...event });
  }
});

test("RunForked comes back with whether its source goes on beside it", () => {
  const forked = { type: "RunForked", source: "r", event: 3, seed: "s", isEdited: false, retried: null } as const;
  for (const event of [forked, { ...forked, isBeside: true } as const]) {
    const record = toRecord(event);
    expect(fromRecord({ ...record, seq: 4, at: 0 })).toEqual({ ...event, seq: 4, at: 0 });
    expect(record.data?.includes("isBeside")).toBe("isBeside" in event);
  }
});

test("ChildEnded comes back with its failure", () => {
  fc.assert(
    fc.property(failure, (ended) => {
      const event = { type: "ChildEnded", command: 1, name: "a", mail: 2, result: null, failure: ended } as never;
      expect(fromRecord({ ...toRecord(event), seq: 1, at: 0 })).toEqual({ ...(event as object), seq: 1, at: 0 });
    }),
  );
});

test("ChildStarted comes back with the run that stands for the child, RunContinued and RunStarted with what is tried again", () => {
  fc.assert(
    fc.property(failure, fc.nat(), (failed, delayMs) => {
      const retry = { attempt: 2, delayMs, failure: failed };
      const chain = { previousRunId: "r", firstRunId: "r", isAwaited: true };
      const policy = { initialIntervalMs: 1, maxIntervalMs: 2, backoff: "fixed", coefficient: 2, jitter: 0 };
      const events = [
        { type: "ChildStarted", command: 1, name: "a", mail: 2, adopted: "r" },
        { type: "RunContinued", nextRunId: "n", workflow: "w", input: null, retry },
        {
          type: "RunStarted",
          workflow: "w",
          input: null,
          seed: "s",
          retry: { ...policy, nonRetryable: ["Declined"], maxAttempts: 3 },
          continues: { ...chain, retry: { attempt: 2, failure: failed, timeoutMs: null } },
        },
      ];
      for (const event of events) {
        expect(fromRecord({ ...toRecord(event as never), seq: 1, at: 0 })).toEqual({ ...event, seq: 1, at: 0 });
      }
    }),
  );
});

test.each([
  { type: "StepCompleted", command: 1, name: "a", result: null, attempt: 1, inputHash: null, summary: "é" },
  { type: "TimerStarted", command: 1, name: "a", due: { atMs: 5 }, summary: "later" },
  {
    type: "RunStarted",
    workflow: "w",
    input: null,
    seed: "s",
    chainTimeoutMs: 5,
    parent: { runId: "p", workflowId: "parent" },
    root: { runId: "t", workflowId: "top" },
    continues: { previousRunId: "r", firstRunId: "r", firstStartedAt: 7 },
  },
])("$type comes back with all that it may have besides", (event) => {
  expect(fromRecord({ ...toRecord(event as never), seq: 1, at: 0 })).toEqual({ ...event, seq: 1, at: 0 });
});

test("a number of a newer release is not read as anything", () => {
  const record = { type: 999, seq: 1, at: 0, command: null, name: null, payload: null, data: null };
  expect(fromRecord(record)).toBeUndefined();
});

test("what ends a run is told from what does not, by event and by status", () => {
  const closing = (Object.keys(EVENT_CODES) as EventType[]).filter((type) => isClosing({ type } as never));
  expect(closing).toEqual(["RunCompleted", "RunFailed", "RunCanceled", "RunTerminated", "RunTimedOut", "RunContinued"]);
  expect(Object.values(EVENT_CODES).filter(isClosingCode)).toEqual(closing.map((type) => EVENT_CODES[type]));
  const open = (Object.keys(STATUS_CODES) as (keyof typeof STATUS_CODES)[]).filter((status) => !isClosed(status));
  expect(open).toEqual(["running", "blocked"]);
});
