// What the contract's tests set their scenes with. All of them share one store: each works on queues, workers and runs
// that no other test can name, so they hold in any order and beside whatever the others have left.

import { randomUUID } from "node:crypto";
import { monotonicFactory } from "ulid";
import type { Claim, ClaimAnswer, ClaimedRun, ClaimRequest, ParkedTimer } from "../../../runtime/store/claims.ts";
import { type Answer, eventOfAnswer } from "../../../runtime/store/errands.ts";
import type { ForkRequest } from "../../../runtime/store/forks.ts";
import type { MailOutcome, MailRequest } from "../../../runtime/store/mail.ts";
import type { StartOutcome, StartRequest } from "../../../runtime/store/starts.ts";
import type { Store } from "../../../runtime/store/store.ts";
import type { AppendTurn } from "../../../runtime/store/turns.ts";
import type { Event } from "../../../sdk/protocol/event.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import type { RunStatus } from "../../../sdk/protocol/run.ts";
import { eventually } from "../../support/eventually.ts";

export interface OpenedStore {
  readonly store: Store;
  /** For a store on a clock of its own: lets time pass. */
  advance?(ms: number): Promise<void>;
  close(): Promise<void>;
  /** For a store that has no transactions to share: queries in one must reject with TRANSACTION_UNSUPPORTED. */
  readonly transactions?: "unsupported";
  /** How many may be open at once. Default 4. */
  readonly transactionsAtOnce?: number;
}

const nextUlid = monotonicFactory();
const HOUR_MS = 3_600_000;

export class Stage {
  #opened: OpenedStore | undefined;

  async open(opening: Promise<OpenedStore>): Promise<void> {
    this.#opened = await opening;
  }

  async close(): Promise<void> {
    await this.#opened?.close();
    this.#opened = undefined;
  }

  get opened(): OpenedStore {
    if (this.#opened === undefined) throw new Error("The contract's store is not open.");
    return this.#opened;
  }

  get store(): Store {
    return this.opened.store;
  }

  /** Waits for what time brings about, on either kind of clock. Null and false: not yet. */
  async becomes<T extends object | true>(what: string, fact: () => Promise<T | null | false>): Promise<T> {
    const answer = await eventually(what, async () => {
      await this.opened.advance?.(25);
      return fact();
    });
    if (answer === null || answer === false) throw new Error(`Not true: ${what}.`);
    return answer;
  }

  start(request: Partial<StartRequest> = {}): Promise<StartOutcome> {
    return this.startAs(startRequest(request));
  }

  async startAs(request: StartRequest): Promise<StartOutcome> {
    return only(await this.store.startRuns([request]));
  }

  claim(queue: string, request: Partial<ClaimRequest> = {}): Promise<ClaimAnswer> {
    const defaults = { workerId: randomUUID(), claimId: randomUUID(), limit: 10, suspects: "exclude" } as const;
    return this.store.claimRuns({ ...defaults, queues: [queue], ...request });
  }

  async claimOne(queue: string, request: Partial<ClaimRequest> = {}): Promise<ClaimedRun> {
    return only((await this.claim(queue, request)).claimed);
  }

  /** A fresh run, claimed by `workerId`. */
  async owned(request: Partial<StartRequest> = {}, workerId: string = randomUUID()): Promise<ClaimedRun> {
    const start = startRequest(request);
    await this.startAs(start);
    return this.claimOne(start.queue, { workerId });
  }

  /** A run that has gone through `crashes` claims without progress, and is claimable. */
  async crashed(crashes: number, request: Partial<StartRequest> = {}): Promise<StartRequest> {
    const start = startRequest(request);
    await this.startAs(start);
    for (let crash = 0; crash < crashes; crash += 1) {
      const workerId = randomUUID();
      await this.claimOne(start.queue, { workerId, suspects: crash < 2 ? "exclude" : "only" });
      await this.store.rescueRuns(workerId, 10);
    }
    return start;
  }

  async blocked(request: Partial<StartRequest> = {}): Promise<ClaimedRun> {
    const run = await this.owned(request);
    await this.store.blockRuns([{ claim: run, reason: { kind: "divergence", message: "event 2 is a step" } }]);
    return run;
  }

  async closed(status: "completed" | "failed" | "canceled", request: Partial<StartRequest> = {}): Promise<ClaimedRun> {
    const run = await this.owned(request);
    await this.commit(closingTurn(run, status));
    return run;
  }

  async append(turn: AppendTurn): Promise<boolean> {
    return (await this.store.appendTurns([turn])).committed.has(turn.claim.runId);
  }

  /** For turns that set a scene: they must go through. */
  async commit(turn: AppendTurn): Promise<AppendTurn> {
    if (!(await this.append(turn))) throw new Error(`The turn for run ${turn.claim.runId} was refused.`);
    return turn;
  }

  /** The same for turns that other runs hear of. */
  async commitWithEffects(...turns: readonly AppendTurn[]): Promise<void> {
    const { committed } = await this.store.appendWithEffects(turns);
    if (committed.size < turns.length) throw new Error(`Of ${turns.length} turns ${committed.size} were committed.`);
  }

  /** Until nothing is left; other tests' errands are done on the way, which harms nobody. */
  async doErrands(): Promise<void> {
    for (;;) {
      const { done, isBusy } = await this.store.runErrands(50);
      if (done === 0 && !isBusy) return;
    }
  }

  /** What a run has heard of its errands, as the events that it makes of them. */
  async answersTo(runId: string): Promise<Event[]> {
    const mail = await this.store.readMail([{ runId, after: 0 }], 100);
    return mail
      .filter(({ kind }) => kind === "answer")
      .map(({ payload }) => eventOfAnswer(JSON.parse(payload ?? "") as Answer, 0));
  }

  async statusOf(runId: string): Promise<RunStatus | undefined> {
    return (await this.store.findRun({ runId }))?.status;
  }

  async park(run: ClaimedRun, wakeAt: number | null = null, timer: ParkedTimer | null = null): Promise<void> {
    const { events, takenMail } = run;
    await this.store.parkRuns([{ claim: run, events, takenMail, wakeAt, timer }]);
  }

  async send(runId: string, request: Partial<MailRequest> = {}): Promise<MailOutcome> {
    return only(await this.store.sendMail([mailRequest({ to: { runId }, ...request })]));
  }

  async now(): Promise<number> {
    return (await this.claim(newId("queue"))).now;
  }

  async inAnHour(): Promise<number> {
    return (await this.now()) + HOUR_MS;
  }
}

export function newId(prefix: string): string {
  return `${prefix}-${nextUlid()}`;
}

export function newRunId(): string {
  return nextUlid();
}

export function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`Expected one item, got ${JSON.stringify(items)}`);
  return item;
}

export function startRequest(request: Partial<StartRequest> = {}): StartRequest {
  const workflow = request.workflow ?? "order";
  return {
    runId: newRunId(),
    workflowId: newId("order"),
    workflow,
    queue: newId("queue"),
    started: toRecord({ type: "RunStarted", workflow, input: '{"total":12}', seed: "0123456789abcdef" }),
    requestId: null,
    onConflict: "fail",
    onReuse: "allow",
    delayMs: 0,
    timeoutMs: null,
    mail: null,
    claim: null,
    ...request,
  };
}

export function mailRequest(request: Pick<MailRequest, "to"> & Partial<MailRequest>): MailRequest {
  return { kind: "signal", mailId: newId("mail"), name: "approve", payload: '{"by":"ann"}', ...request };
}

export function stepCompleted(command: number, result: string | null = '"done"'): Event {
  return { type: "StepCompleted", command, name: "charge", result, attempt: 1, inputHash: null };
}

export function signalReceived(mail: number, signalId: string): Event {
  return { type: "SignalReceived", name: "approve", signalId, mail, payload: '{"by":"ann"}', isEarly: false };
}

/** One more step for a run that nobody has written to since it was claimed, unless said otherwise. */
export function turnOf(run: ClaimedRun, turn: Partial<AppendTurn> = {}, ...events: readonly Event[]): AppendTurn {
  const { runId, epoch, claimId } = run;
  const base = turn.base ?? run.events;
  const records = (events.length === 0 ? [stepCompleted(base)] : events).map(toRecord);
  return {
    claim: { runId, epoch, claimId },
    tag: randomUUID(),
    base,
    events: records,
    refusals: [],
    at: null,
    takenMail: run.takenMail,
    notBefore: null,
    close: null,
    effects: null,
    ...turn,
  };
}

export function closingTurn(
  run: ClaimedRun,
  close: "completed" | "failed" | "canceled",
  turn: Partial<AppendTurn> = {},
): AppendTurn {
  const failure = { kind: "application", message: "no stock", type: "OutOfStock", retryable: false } as const;
  if (close === "completed") {
    return turnOf(run, { close, ...turn }, { type: "RunCompleted", result: '"shipped"', unread: [] });
  }
  const type = close === "failed" ? "RunFailed" : "RunCanceled";
  return turnOf(run, { close, ...turn }, { type, failure, unread: [] });
}

/** A fork at event 1 with an id of its own, unless said otherwise. */
export function forkRequest(source: { readonly runId: string }, request: Partial<ForkRequest> = {}): ForkRequest {
  const { at = 1 } = request;
  const forked = { type: "RunForked", source: source.runId, event: at, seed: "other", isEdited: false, retried: null };
  return {
    sourceId: source.runId,
    runId: newRunId(),
    workflowId: newId("fork"),
    at,
    edited: null,
    forked: toRecord(forked as Event),
    takenMail: 0,
    keepsSignals: true,
    data: [],
    timeoutMs: null,
    terminates: null,
    ...request,
  };
}

export function claimOf({ runId, epoch, claimId }: Claim): Claim {
  return { runId, epoch, claimId };
}
