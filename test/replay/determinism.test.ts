// The promise everything else stands on: a history leads any program to the same place, however its events were batched
// and wherever a replay began.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Event } from "../../sdk/protocol/event.ts";
import { anyProgram, workflowOf } from "../support/random-program.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

/** What may happen to a run next, given what it waits for: as a worker would tell it. */
function somethingThatHappens(run: DrivenRun, choice: number): Event {
  const failure = { kind: "application", type: "Error", message: "no", retryable: true } as const;
  const events: Event[] = [];
  for (const pending of run.engine.pendingCommands()) {
    const { command } = pending;
    if (pending.kind === "StartTimer") {
      if (pending.fireAt !== null) events.push({ type: "TimerFired", command, name: pending.name });
      continue;
    }
    if (pending.kind === "StartChild") {
      const { name, isStarted } = pending;
      const started = isStarted ? [] : [{ type: "ChildStarted", command, name, mail: 1 } as const];
      const ended = { type: "ChildEnded", command, name, mail: 1 } as const;
      events.push(...started, { type: "ChildStartFailed", command, name, mail: 1, failure });
      events.push({ ...ended, result: String(choice), failure: null }, { ...ended, result: null, failure });
      continue;
    }
    if (pending.kind === "SendMessage") {
      const { name } = pending;
      events.push({ type: "ExternalDelivered", command, name, mail: 1 });
      events.push({ type: "ExternalFailed", command, name, mail: 1, failure });
      continue;
    }
    if (pending.kind === "AcquireLock") {
      events.push({ type: "LockGranted", command, name: pending.name, mail: 1, fencingToken: command });
      continue;
    }
    const { name, inputHash } = pending.ask;
    const attempt = pending.failedAttempts + 1;
    // False is what a poll goes on after.
    const result = choice % 3 === 0 ? "false" : String(choice);
    events.push({ type: "StepCompleted", command, name, result, attempt, inputHash });
    events.push({ type: "StepFailed", command, name, failure, attempt, inputHash });
    const tried = { failure, attempt, delayMs: 0, firstAttemptAt: 0, heartbeat: null };
    events.push({ type: "StepAttemptFailed", command, name, ...tried });
  }
  for (const signal of ["red", "blue", "bump", "halt"]) events.push(run.signalEvent(signal, choice % 3));
  if (choice % 11 === 0) events.push({ type: "CancelRequested", mail: 1, reason: "enough" });
  return events[choice % events.length] as Event;
}

/** Lives a run to its end or for a while; several things may happen before the code sees the first of them. */
async function live(run: DrivenRun, choices: readonly (readonly number[])[]): Promise<void> {
  for (const batch of choices) {
    if (run.outcome !== undefined || run.engine.broken !== undefined) return;
    const events = batch.map((choice) => somethingThatHappens(run, choice));
    // A worker decides each command once.
    const isFirst = (event: Event, index: number) =>
      !("command" in event) ||
      events.findIndex((each) => "command" in each && each.command === event.command) === index;
    await run.tell(...events.filter(isFirst));
  }
}

test("any program sees the same, live, in one batch, one by one, and from every prefix of its history", async () => {
  const anyChoices = fc.array(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 3 }), {
    minLength: 8,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(anyProgram, anyChoices, fc.infiniteStream(fc.nat(4)), async (program, choices, cuts) => {
      const { workflow, trace } = workflowOf(program);
      const first = await runWorkflow(workflow);
      await live(first, choices);
      const { history } = first;
      const expected = { trace: trace(), ...endOf(first) };
      const check = (run: DrivenRun) => expect({ trace: trace(), ...endOf(run) }).toEqual(expected);

      check(await replay(workflow, history));

      const oneByOne = await replay(workflow, history.slice(0, 1));
      for (const event of history.slice(1)) await oneByOne.redeliver([event]);
      check(oneByOne);

      const inPieces = await replay(workflow, history.slice(0, 1));
      for (let from = 1; from < history.length; ) {
        const to = from + 1 + (cuts.next().value ?? 0);
        await inPieces.redeliver(history.slice(from, to));
        from = to;
      }
      check(inPieces);

      for (let length = 1; length < history.length; length += 3) {
        const begun = await replay(workflow, history.slice(0, length));
        expect(expected.trace.slice(0, trace().length)).toEqual(trace());
        await begun.redeliver(history.slice(length));
        check(begun);
      }
    }),
    { numRuns: 80 },
  );
});

function endOf(run: DrivenRun): unknown & object {
  return {
    outcome: run.outcome,
    pending: run.pending,
    unread: run.engine.unreadSignals(),
    waits: run.engine.waits,
    broken: run.engine.broken?.message,
  };
}
