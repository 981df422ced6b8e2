// Drives one run purely in memory: no worker, no store, no clock. A test tells the run what happened, one fact after the
// other, and sees what its code asked for, took back and came to. The history that forms is a real one: started timers
// are told as a worker tells them, so it can be replayed from any prefix.

import { RunEngine } from "../../runtime/replay/engine.ts";
import type { Outcome } from "../../runtime/replay/outcome.ts";
import type { PendingCommand } from "../../runtime/replay/pending.ts";
import { TurnLoop } from "../../runtime/replay/turn-loop.ts";
import type { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import type { Event, HistoryEvent } from "../../sdk/protocol/event.ts";
import { toFailure } from "../../sdk/protocol/failures.ts";
import { decodePayload, encodePayload } from "../../sdk/protocol/payload.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { RecordedLog } from "./recorded-log.ts";

export const STARTED_AT = 1_750_000_000_000;
const MS_PER_EVENT = 1_000;

export interface RunOptions {
  readonly input?: unknown;
  readonly seed?: string;
  /** Signals that are there before the first line. */
  readonly early?: readonly { readonly name: string; readonly payload?: unknown }[];
  readonly recordsCallSites?: boolean;
  /** What the code does is new from the first line, as it is for the first owner of a run. */
  readonly isLive?: boolean;
  /** Interceptors around the code. */
  readonly hooks?: WorkflowHooks | undefined;
}

/** A new run of `workflow`, at its first wait. */
export async function runWorkflow(workflow: AnyWorkflow, options: RunOptions = {}): Promise<DrivenRun> {
  const run = new DrivenRun(workflow, options.recordsCallSites ?? false, options.hooks);
  const { input, seed = "a seed", early = [], isLive = false } = options;
  if (isLive) run.engine.goLive();
  const started: Event = { type: "RunStarted", workflow: workflow.name, input: encodePayload(input, "input"), seed };
  await run.tell(started, ...early.map(({ name, payload }) => run.signalEvent(name, payload, true)));
  return run;
}

/**
 * A run brought to the end of `history`, which is delivered in one batch; `begins` when it is to be carried on. `foreseen`:
 * the whole of it, where `history` is a part.
 */
export async function replay(
  workflow: AnyWorkflow,
  history: readonly HistoryEvent[],
  {
    recordsCallSites = false,
    begins = true,
    foreseen = history,
    hooks,
  }: {
    recordsCallSites?: boolean;
    begins?: boolean;
    foreseen?: readonly HistoryEvent[];
    hooks?: WorkflowHooks | undefined;
  } = {},
): Promise<DrivenRun> {
  const run = new DrivenRun(workflow, recordsCallSites, hooks);
  run.engine.foresee(foreseen);
  await run.redeliver(history, begins);
  return run;
}

export class DrivenRun {
  readonly engine: RunEngine;
  readonly history: HistoryEvent[] = [];
  readonly log = new RecordedLog();
  readonly #turns = new TurnLoop((call) => void setImmediate(call));
  #mail = 0;

  constructor(workflow: AnyWorkflow, recordsCallSites: boolean, hooks?: WorkflowHooks) {
    const { log } = this;
    this.engine = new RunEngine({
      workflow,
      run: { runId: "run-1", workflowId: "order-42", queue: "default", startedAt: STARTED_AT, deadlineAt: null },
      log: {
        debug: (message, fields = {}) => log.debug(fields, message),
        info: (message, fields = {}) => log.info(fields, message),
        warn: (message, fields = {}) => log.warn(fields, message),
        error: (message, fields = {}) => log.error(fields, message),
      },
      recordsCallSites,
      hooks,
    });
  }

  // ---------------------------------------------------------------- what happens

  /**
   * Appends events and delivers them in one batch; then tells what was marked, what the code entered, which updates have
   * ended, which locks were let go and which timers, children, mail and locks were asked for.
   */
  async tell(...events: readonly Event[]): Promise<void> {
    await this.#feed(events.map((event) => this.#append(event)));
    await this.tellMarks();
    for (const entry of [...this.engine.data.entries]) await this.#feed([this.#append(entry)]);
    for (const ended of this.engine.takeEndedUpdates()) {
      await this.#feed([this.#append({ type: "UpdateCompleted", ...ended })]);
    }
    // The end of a run lets go of all of them.
    for (const { command, name } of this.outcome === undefined ? (this.engine.locks?.takeUntold() ?? []) : []) {
      await this.#feed([this.#append({ type: "LockReleased", command, name })]);
    }
    for (const pending of [...this.engine.pendingCommands()]) {
      const begun = begunOf(pending);
      if (begun !== undefined) await this.#feed([this.#append(begun)]);
    }
  }

  /** Appends the marks of patches that the code asked for. */
  async tellMarks(): Promise<void> {
    const marks = this.engine.takeMarks();
    if (marks.length > 0) await this.#feed(marks.map((mark) => this.#append(mark)));
  }

  /** Delivers events of an earlier history, as they are. */
  async redeliver(events: readonly HistoryEvent[], begins = true): Promise<void> {
    this.history.push(...events);
    await this.#feed(events, begins);
  }

  completes(name: string, result?: unknown): Promise<void> {
    return this.tell(this.completed(name, result));
  }

  fails(name: string, error: unknown): Promise<void> {
    return this.tell(this.failed(name, error));
  }

  fires(name: string): Promise<void> {
    return this.tell(this.fired(name));
  }

  signals(name: string, payload?: unknown): Promise<void> {
    return this.tell(this.signalEvent(name, payload));
  }

  /** The oldest child of this workflow is started. */
  starts(name: string): Promise<void> {
    return this.tell({
      type: "ChildStarted",
      command: this.#find("StartChild", name).command,
      name,
      mail: ++this.#mail,
    });
  }

  ends(name: string, end: { readonly result: unknown } | { readonly error: unknown }): Promise<void> {
    const { command } = this.#find("StartChild", name);
    const told =
      "error" in end
        ? { result: null, failure: toFailure(end.error) }
        : { result: encodePayload(end.result, "result"), failure: null };
    return this.tell({ type: "ChildEnded", command, name, mail: ++this.#mail, ...told });
  }

  delivers(name: string): Promise<void> {
    const { command } = this.#find("SendMessage", name);
    return this.tell({ type: "ExternalDelivered", command, name, mail: ++this.#mail });
  }

  /** The oldest lock of this key that is waited for is granted. */
  grants(key: string, fencingToken = 1): Promise<void> {
    return this.tell(this.grantedEvent(key, fencingToken));
  }

  /** An update that the run takes. */
  async updates(name: string, input?: unknown, updateId?: string): Promise<void> {
    await this.tell(this.acceptEvent(name, input, updateId));
  }

  cancels(reason = "enough"): Promise<void> {
    return this.tell({ type: "CancelRequested", mail: ++this.#mail, reason });
  }

  // ---------------------------------------------------------------- events, to be told together or late

  /** The result of the oldest pending step of this name. */
  completed(name: string, result?: unknown): Event {
    const { command, inputHash, failedAttempts } = this.#step(name);
    const stored = encodePayload(result, "result");
    return { type: "StepCompleted", command, name, result: stored, attempt: failedAttempts + 1, inputHash };
  }

  failed(name: string, error: unknown): Event {
    const { command, inputHash, failedAttempts } = this.#step(name);
    const attempt = failedAttempts + 1;
    return { type: "StepFailed", command, name, failure: toFailure(error), attempt, inputHash };
  }

  fired(name: string): Event {
    const pending = this.#find("StartTimer", name);
    return { type: "TimerFired", command: pending.command, name };
  }

  /** An update that the run takes. Throws when it refuses. */
  acceptEvent(name: string, input?: unknown, updateId?: string): Event {
    const mail = ++this.#mail;
    const update = { updateId: updateId ?? `update-${mail}`, name, input: encodePayload(input, "input") };
    const refusal = this.engine.judgeUpdate(update);
    if (refusal !== null) throw new Error(refusal.message);
    return { type: "UpdateAccepted", ...update, mail };
  }

  grantedEvent(key: string, fencingToken = 1): Event {
    const { command } = this.#find("AcquireLock", key);
    return { type: "LockGranted", command, name: key, mail: ++this.#mail, fencingToken };
  }

  signalEvent(name: string, payload?: unknown, isEarly = false): Event {
    const mail = ++this.#mail;
    const stored = encodePayload(payload, "payload");
    return { type: "SignalReceived", name, signalId: `signal-${mail}`, mail, payload: stored, isEarly };
  }

  // ---------------------------------------------------------------- what can be seen

  get outcome(): Outcome | undefined {
    return this.engine.outcome;
  }

  /** The result, read back; throws when the run has not completed. */
  get result(): unknown {
    const { outcome } = this.engine;
    if (outcome?.type !== "completed") throw new Error(`not completed: ${JSON.stringify(outcome ?? this.pending)}`);
    return decodePayload(outcome.result, "result");
  }

  /** Why it ended badly, as one line. */
  get failure(): string {
    const { outcome } = this.engine;
    if (outcome === undefined || !("failure" in outcome)) throw new Error(`no failure: ${outcome?.type}`);
    return `${outcome.type}: ${outcome.failure.type}: ${outcome.failure.message}`;
  }

  /** Commands that wait for their answer, such as `1 step charge`. */
  get pending(): string[] {
    return [...this.engine.pendingCommands()].map(wordsOf);
  }

  /** What the code did since the last look, such as `asked 2 timer sleep`. */
  changes(): string[] {
    return this.engine.takeChanges().map((change) => {
      if (change.type === "entered") return `entered ${change.entry.command} ${change.entry.type}`;
      return `${change.type} ${wordsOf(change.pending)}`;
    });
  }

  #step(name: string): { command: number; inputHash: string | null; failedAttempts: number } {
    const pending = this.#find("RunStep", name);
    if (pending.kind !== "RunStep") throw new Error("not a step");
    return { command: pending.command, inputHash: pending.ask.inputHash, failedAttempts: pending.failedAttempts };
  }

  #find(kind: PendingCommand["kind"], name: string): PendingCommand {
    const found = [...this.engine.pendingCommands()].find((each) => each.kind === kind && nameOf(each) === name);
    if (found === undefined) throw new Error(`no pending ${kind} "${name}" among: ${this.pending.join(", ")}`);
    return found;
  }

  #append(event: Event): HistoryEvent {
    const seq = this.history.length + 1;
    const placed: HistoryEvent = { ...event, seq, at: STARTED_AT + (seq - 1) * MS_PER_EVENT };
    this.history.push(placed);
    return placed;
  }

  #feed(events: readonly HistoryEvent[], begins = true): Promise<void> {
    return new Promise((resolve) => this.#turns.feed(this.engine, events, begins, resolve));
  }
}

function nameOf(pending: PendingCommand): string {
  return pending.kind === "RunStep" ? pending.ask.name : pending.name;
}

const WORDS = {
  RunStep: "step",
  StartTimer: "timer",
  StartChild: "child",
  SendMessage: "mail",
  AcquireLock: "lock",
} as const;

function wordsOf(pending: PendingCommand): string {
  return `${pending.command} ${WORDS[pending.kind]} ${nameOf(pending)}`;
}

/** What a worker commits as soon as such a command is asked for; undefined when it has, or has nothing to. */
function begunOf(pending: PendingCommand): Event | undefined {
  if (pending.kind === "RunStep") return undefined;
  const { command, name } = pending;
  switch (pending.kind) {
    case "StartTimer":
      return pending.fireAt === null ? { type: "TimerStarted", command, name, due: pending.due } : undefined;
    case "StartChild": {
      if (pending.childRunId !== null) return undefined;
      const { workflowId: childWorkflowId, ask } = pending;
      const childRunId = `child-${command}`;
      return { type: "ChildRequested", command, name, inputHash: ask.inputHash, childRunId, childWorkflowId };
    }
    case "SendMessage":
      if (pending.isRequested) return undefined;
      return { type: "ExternalRequested", command, name, inputHash: pending.ask.inputHash };
    case "AcquireLock": {
      if (pending.isRequested) return undefined;
      return { type: "LockRequested", command, name, permits: pending.permits, capacity: pending.capacity };
    }
  }
}
