// One sentence for each place a run can be in.

import { expect, test } from "vitest";
import { summarize } from "../../runtime/service/summary.ts";
import type { RunDetail } from "../../runtime/store/runs.ts";
import type { PendingWork } from "../../sdk/protocol/pending-work.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

const parked: RunDetail = {
  runId: "run",
  workflowId: "order-42",
  workflow: "order",
  queue: "default",
  version: null,
  status: "running",
  startedAt: NOW - 60_000,
  closedAt: null,
  attempt: 1,
  deadlineAt: null,
  paused: null,
  forkedFrom: null,
  data: { attributes: {}, memo: {} },
  events: 3,
  epoch: 1,
  ownerId: null,
  wakeAt: null,
  awaitedLocks: 0,
  blocked: null,
  crashCount: 0,
  unreadMail: 0,
  now: NOW,
};

const nothing: PendingWork = {
  steps: [],
  children: [],
  messages: [],
  timers: [],
  locks: [],
  signals: [],
  handlers: [],
  conditions: 0,
  unreadSignals: [],
  currentDetails: null,
};

test("a closed run says how it ended", () => {
  expect(summarize({ ...parked, status: "completed" }, null)).toBe("The run is completed.");
  expect(summarize({ ...parked, status: "timedOut" }, null)).toBe("The run is closed: it timed out.");
});

test("a blocked run says why", () => {
  const blocked = { kind: "divergence", message: "event 7 is another step" } as const;
  expect(summarize({ ...parked, status: "blocked", blocked }, null)).toBe(
    "Blocked (divergence): event 7 is another step",
  );
});

test("an open run says where it is", () => {
  expect(summarize(parked, null)).toBe("Parked: it waits for mail.");
  expect(summarize({ ...parked, ownerId: "worker" }, null)).toBe("Executed by a worker.");
  expect(summarize({ ...parked, wakeAt: NOW + 1_000 }, null)).toBe("Parked until 2026-01-01T00:00:01.000Z.");
  expect(summarize({ ...parked, wakeAt: NOW - 2_500 }, null)).toBe(
    'Due for 2.5 s: it waits for a worker of queue "default".',
  );
  expect(summarize({ ...parked, events: 1, wakeAt: NOW + 1_000 }, null)).toBe(
    "Begins at 2026-01-01T00:00:01.000Z, or with a signal.",
  );
  expect(summarize({ ...parked, awaitedLocks: 1 }, null)).toBe(
    "Forked: it stands still until it has the lock again that it held.",
  );
  expect(summarize({ ...parked, awaitedLocks: 2 }, null)).toBe(
    "Forked: it stands still until it has 2 locks again that it held.",
  );
});

test("and what it waits for, with the last error and the next attempt of a step", () => {
  const step = {
    kind: "step",
    command: 1,
    name: "charge",
    isCancelRequested: false,
    isDeferred: false,
    summary: null,
  } as const;
  const retried = { ...step, attempt: 3, lastError: "card service is down", nextAttemptAt: NOW + 4_000 };
  const timer = {
    kind: "timer",
    command: 2,
    name: "receive approve",
    isLimit: true,
    fireAt: NOW + 60_000,
    summary: null,
  } as const;
  const pending: PendingWork = { ...nothing, steps: [retried], timers: [timer], signals: ["approve"], conditions: 2 };
  expect(summarize({ ...parked, ownerId: "worker" }, pending)).toBe(
    'Executed by a worker. Waits for step "charge", attempt 3 in 4.0 s (last error: card service is down), ' +
      'timer "receive approve" until 2026-01-01T00:01:00.000Z, signal "approve", 2 conditions.',
  );
  const deferred = { ...step, name: "approve", attempt: 1, lastError: null, nextAttemptAt: null, isDeferred: true };
  expect(summarize(parked, { ...nothing, steps: [deferred] })).toBe(
    'Parked: it waits for mail. Waits for step "approve" to be completed from outside.',
  );
  expect(summarize({ ...parked, ownerId: "worker" }, nothing)).toBe("Executed by a worker. Nothing is pending.");
});

test("a long list is cut", () => {
  const signals = ["a", "b", "c", "d", "e", "f", "g"];
  expect(summarize(parked, { ...nothing, signals })).toMatch(/signal "e" and 2 more\.$/);
});
