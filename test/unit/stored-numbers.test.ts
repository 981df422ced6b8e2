// Numbers that databases hold. They are part of every history ever written: add to the lists below, change nothing in
// them.

import { expect, test } from "vitest";
import { codeEvent } from "../../runtime/codecs/payload-places.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent, toRecord } from "../../sdk/protocol/event-record.ts";
import { unreadablePayload } from "../../sdk/protocol/payload-encoded.ts";
import { whyUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import { STATUS_CODES } from "../../sdk/protocol/run.ts";

test("every type of event keeps the number it was shipped with", () => {
  expect(EVENT_CODES).toEqual({
    RunStarted: 1,
    StepCompleted: 2,
    StepFailed: 3,
    StepAttemptFailed: 4,
    TimerStarted: 5,
    TimerFired: 6,
    SignalReceived: 7,
    CancelRequested: 8,
    RunCompleted: 9,
    RunFailed: 10,
    RunCanceled: 11,
    RunTerminated: 12,
    RunTimedOut: 13,
    PatchMarked: 14,
    UpdateAccepted: 16,
    UpdateCompleted: 17,
    StepDeferred: 18,
    AttributesUpserted: 19,
    MemoUpserted: 20,
    StepReported: 21,
    ChildStarted: 22,
    ChildStartFailed: 23,
    ChildEnded: 24,
    ChildRequested: 25,
    RunContinued: 26,
    ExternalDelivered: 27,
    ExternalFailed: 28,
    ExternalRequested: 29,
    RunPaused: 32,
    RunResumed: 33,
    RunUnblocked: 34,
    RunAdopted: 45,
    RunForked: 35,
    RunNoted: 36,
    LockRequested: 40,
    LockGranted: 41,
    LockReleased: 42,
    LockRegained: 61,
    CompensationBegun: 62,
    RunMoved: 46,
    StepRetried: 50,
    TimerSkipped: 51,
    RequestIgnored: 52,
  });
});

test("every status keeps the number it was shipped with", () => {
  expect(STATUS_CODES).toEqual({
    running: 1,
    blocked: 2,
    completed: 10,
    failed: 11,
    canceled: 12,
    terminated: 13,
    timedOut: 14,
    continuedAsNew: 15,
  });
});

// Rows as release 0.1.0 writes them, and what they mean.
const failure = { kind: "application", type: "CardDeclined", message: "no funds", retryable: true } as const;
const stored: readonly [Omit<StoredEvent, "seq" | "at">, object][] = [
  [
    { type: 1, command: null, name: "order", payload: '{"item":"book"}', data: '{"seed":"s"}' },
    { type: "RunStarted", workflow: "order", input: '{"item":"book"}', seed: "s" },
  ],
  [
    { type: 2, command: 1, name: "charge", payload: "1", data: null },
    { type: "StepCompleted", command: 1, name: "charge", result: "1", attempt: 1, inputHash: null },
  ],
  [
    { type: 3, command: 2, name: "ship", payload: JSON.stringify(failure), data: '{"attempt":3,"inputHash":"00ff"}' },
    { type: "StepFailed", command: 2, name: "ship", failure, attempt: 3, inputHash: "00ff" },
  ],
  [
    {
      type: 4,
      command: 2,
      name: "ship",
      payload: JSON.stringify(failure),
      data: '{"attempt":1,"delayMs":900,"firstAttemptAt":5,"heartbeat":"7"}',
    },
    {
      type: "StepAttemptFailed",
      command: 2,
      name: "ship",
      failure,
      attempt: 1,
      delayMs: 900,
      firstAttemptAt: 5,
      heartbeat: "7",
    },
  ],
  [
    { type: 5, command: 3, name: "sleep", payload: null, data: '{"afterMs":10}' },
    { type: "TimerStarted", command: 3, name: "sleep", due: { afterMs: 10 } },
  ],
  [
    { type: 6, command: 3, name: "sleep", payload: null, data: null },
    { type: "TimerFired", command: 3, name: "sleep" },
  ],
  [
    { type: 7, command: null, name: "approve", payload: null, data: '{"signalId":"a","mail":1,"isEarly":true}' },
    { type: "SignalReceived", name: "approve", signalId: "a", mail: 1, payload: null, isEarly: true },
  ],
  [
    { type: 8, command: null, name: null, payload: null, data: '{"mail":2,"reason":"enough"}' },
    { type: "CancelRequested", mail: 2, reason: "enough" },
  ],
  [
    { type: 9, command: null, name: null, payload: "2", data: '{"unread":[{"name":"approve","signalId":"b"}]}' },
    { type: "RunCompleted", result: "2", unread: [{ name: "approve", signalId: "b" }] },
  ],
  [
    { type: 10, command: null, name: null, payload: JSON.stringify(failure), data: null },
    { type: "RunFailed", failure, unread: [] },
  ],
  [
    { type: 11, command: null, name: null, payload: JSON.stringify(failure), data: null },
    { type: "RunCanceled", failure, unread: [] },
  ],
  [
    { type: 12, command: null, name: null, payload: null, data: '{"reason":"enough"}' },
    { type: "RunTerminated", reason: "enough" },
  ],
  [
    { type: 13, command: null, name: null, payload: null, data: '{"timeoutMs":60}' },
    { type: "RunTimedOut", timeoutMs: 60 },
  ],
  [
    { type: 14, command: null, name: "two-steps", payload: null, data: '{"since":4}' },
    { type: "PatchMarked", name: "two-steps", since: 4, isDeprecated: false },
  ],
  [
    { type: 16, command: null, name: "addItem", payload: '"book"', data: '{"updateId":"u","mail":3}' },
    { type: "UpdateAccepted", name: "addItem", updateId: "u", mail: 3, input: '"book"' },
  ],
  [
    { type: 17, command: null, name: "addItem", payload: "1", data: '{"updateId":"u"}' },
    { type: "UpdateCompleted", name: "addItem", updateId: "u", result: "1", failure: null },
  ],
  [
    {
      type: 18,
      command: 2,
      name: "approve",
      payload: "7",
      data: '{"attempt":2,"verifier":"hash","startedAt":9,"firstAttemptAt":5,"inputHash":"00ff"}',
    },
    {
      type: "StepDeferred",
      command: 2,
      name: "approve",
      attempt: 2,
      verifier: "hash",
      startedAt: 9,
      firstAttemptAt: 5,
      heartbeat: "7",
      inputHash: "00ff",
    },
  ],
  [
    { type: 19, command: 4, name: "attributes", payload: '{"customer":["keyword","c1"]}', data: null },
    { type: "AttributesUpserted", command: 4, name: "attributes", changes: '{"customer":["keyword","c1"]}' },
  ],
  [
    { type: 20, command: 5, name: "memo", payload: '{"note":null}', data: null },
    { type: "MemoUpserted", command: 5, name: "memo", changes: '{"note":null}' },
  ],
  [
    {
      type: 21,
      command: 2,
      name: "approve",
      payload: null,
      data: '{"attempt":2,"mail":4,"reportId":"r","isIgnored":true}',
    },
    {
      type: "StepReported",
      command: 2,
      name: "approve",
      attempt: 2,
      mail: 4,
      reportId: "r",
      report: "ignored",
      details: null,
    },
  ],
  [
    { type: 22, command: 4, name: "ship", payload: null, data: '{"mail":3}' },
    { type: "ChildStarted", command: 4, name: "ship", mail: 3 },
  ],
  [
    { type: 23, command: 4, name: "ship", payload: JSON.stringify(failure), data: '{"mail":3}' },
    { type: "ChildStartFailed", command: 4, name: "ship", mail: 3, failure },
  ],
  [
    { type: 24, command: 4, name: "ship", payload: "5", data: '{"mail":4}' },
    { type: "ChildEnded", command: 4, name: "ship", mail: 4, result: "5", failure: null },
  ],
  [
    {
      type: 25,
      command: 4,
      name: "ship",
      payload: null,
      data: '{"inputHash":"00ff","childRunId":"c","childWorkflowId":"ship-1"}',
    },
    {
      type: "ChildRequested",
      command: 4,
      name: "ship",
      inputHash: "00ff",
      childRunId: "c",
      childWorkflowId: "ship-1",
    },
  ],
  [
    { type: 26, command: null, name: "order", payload: "3", data: '{"nextRunId":"r"}' },
    { type: "RunContinued", nextRunId: "r", workflow: "order", input: "3" },
  ],
  [
    { type: 27, command: 5, name: "signal go", payload: null, data: '{"mail":5}' },
    { type: "ExternalDelivered", command: 5, name: "signal go", mail: 5 },
  ],
  [
    { type: 28, command: 5, name: "signal go", payload: JSON.stringify(failure), data: '{"mail":5}' },
    { type: "ExternalFailed", command: 5, name: "signal go", mail: 5, failure },
  ],
  [
    { type: 29, command: 5, name: "signal go", payload: null, data: '{"inputHash":"00ff"}' },
    { type: "ExternalRequested", command: 5, name: "signal go", inputHash: "00ff" },
  ],
  [
    { type: 32, command: null, name: null, payload: null, data: '{"mail":4,"reason":"maintenance"}' },
    { type: "RunPaused", mail: 4, reason: "maintenance" },
  ],
  [
    { type: 33, command: null, name: null, payload: null, data: '{"mail":5}' },
    { type: "RunResumed", mail: 5 },
  ],
  [
    { type: 34, command: null, name: null, payload: null, data: '{"mail":6,"kind":"quarantine"}' },
    { type: "RunUnblocked", mail: 6, kind: "quarantine" },
  ],
  [
    {
      type: 35,
      command: null,
      name: null,
      payload: null,
      data: '{"source":"r","event":3,"seed":"s","retried":2,"locks":[1,4]}',
    },
    { type: "RunForked", source: "r", event: 3, seed: "s", isEdited: false, retried: 2, locks: [1, 4] },
  ],
  [
    { type: 36, command: 6, name: "warn", payload: '"late"', data: null },
    { type: "RunNoted", command: 6, name: "warn", text: "late" },
  ],
  [
    { type: 40, command: 7, name: "gpus", payload: null, data: '{"permits":2,"capacity":3}' },
    { type: "LockRequested", command: 7, name: "gpus", permits: 2, capacity: 3 },
  ],
  [
    { type: 41, command: 7, name: "gpus", payload: null, data: '{"mail":7,"fencingToken":12}' },
    { type: "LockGranted", command: 7, name: "gpus", mail: 7, fencingToken: 12 },
  ],
  [
    { type: 42, command: 7, name: "gpus", payload: null, data: null },
    { type: "LockReleased", command: 7, name: "gpus" },
  ],
  [
    { type: 45, command: null, name: null, payload: null, data: '{"mail":7,"by":"r"}' },
    { type: "RunAdopted", mail: 7, by: "r" },
  ],
  [
    { type: 46, command: null, name: null, payload: null, data: '{"mail":7,"version":"2.0.0"}' },
    { type: "RunMoved", mail: 7, version: "2.0.0" },
  ],
  [
    { type: 50, command: 2, name: "charge", payload: null, data: '{"mail":7,"requestId":"q","attempt":3}' },
    { type: "StepRetried", command: 2, name: "charge", attempt: 3, mail: 7, requestId: "q" },
  ],
  [
    { type: 51, command: 3, name: "sleep", payload: null, data: '{"mail":8,"requestId":"q"}' },
    { type: "TimerSkipped", command: 3, name: "sleep", mail: 8, requestId: "q" },
  ],
  [
    { type: 52, command: null, name: "skipSleep", payload: null, data: '{"mail":9,"requestId":"q"}' },
    { type: "RequestIgnored", mail: 9, requestId: "q", request: "skipSleep" },
  ],
  [
    { type: 61, command: 7, name: "gpus", payload: null, data: '{"fencingToken":13}' },
    { type: "LockRegained", command: 7, name: "gpus", fencingToken: 13 },
  ],
  [
    { type: 62, command: null, name: null, payload: null, data: '{"since":3}' },
    { type: "CompensationBegun", since: 3 },
  ],
];

test.each(stored)(
  "a row of type $type, as the first release wrote it, is read and written as ever",
  (record, event) => {
    const read = fromRecord({ ...record, seq: 1, at: 1_000 });
    expect(read).toEqual({ ...event, seq: 1, at: 1_000 });
    expect(read && toRecord(read)).toEqual(record);
  },
);

test("a step that was ended from outside says by which mail", () => {
  const record = { type: 2, command: 1, name: "approve", payload: "1", data: '{"mail":3,"reportId":"r"}' };
  const read = fromRecord({ ...record, seq: 1, at: 0 });
  expect(read).toMatchObject({ type: "StepCompleted", attempt: 1, mail: 3, reportId: "r" });
  expect(read && toRecord(read)).toEqual(record);
});

test("the rows above are of every type there is", () => {
  expect(stored.map(([{ type }]) => type)).toEqual(Object.values(EVENT_CODES));
});

test.each(stored)("what no codec can decode of a row of type $type is found", async (record) => {
  const place = { ...record, seq: 1, at: 1_000 };
  const undecoded = await codeEvent("r", 1, place, async () => unreadablePayload("no key"));
  const read = fromRecord(undecoded);
  expect(read && whyUnreadableEvent(read)).toBe(undecoded === place ? undefined : "no key");
});

test("a type of a later release is not taken for one of ours", () => {
  expect(fromRecord({ type: 99, command: null, name: null, payload: null, data: null, seq: 1, at: 0 })).toBeUndefined();
});
