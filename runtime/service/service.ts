// The front door's rules, in one place: what may be asked of runs, how a call survives a store that is away for a
// moment, and who is woken by it.

import type {
  ClosedRun,
  FrontDoor,
  ListCall,
  RunDescription,
  RunReference,
  ShownEvent,
  SignalCall,
  StartCall,
  StartReply,
} from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { fromRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { PENDING_QUERY, type PendingWork } from "../../sdk/protocol/pending-work.ts";
import { DEFAULT_QUEUE, isClosed, type RunSummary } from "../../sdk/protocol/run.ts";
import type {
  ListRequest,
  MailOutcome,
  MailRequest,
  RunDetail,
  StartOutcome,
  StartRequest,
  Store,
} from "../store/store.ts";
import type { Topic, Wakeups } from "../wake/wakeups.ts";
import { newRunId } from "../world/run-id.ts";
import type { World } from "../world/world.ts";
import { Batcher } from "./batcher.ts";
import { doErrands } from "./errands.ts";
import { type Insistence, insist } from "./insist.ts";
import { LocalWorkers } from "./local-workers.ts";
import { OutcomeWaiter, type StoredOutcome } from "./outcome-waiter.ts";
import { askQuery } from "./question.ts";
import { isYetToBegin, summarize } from "./summary.ts";

export interface ServiceOptions {
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly world: World;
  /** How long a call is repeated while the store is away. Default 15,000. */
  readonly insistForMs?: number;
  /** How often to look for what nobody gave a hint of. Default 1,000. */
  readonly pollMs?: number;
  /** The workers of this process on the same store. Default: none. */
  readonly locals?: LocalWorkers;
}

const HISTORY_PAGE = 500;
const MAX_LIST = 200;
const DEFAULT_LIST = 50;
const DESCRIBE_QUERY_MS = 1_500;
const STARTS_PER_BATCH = 1_000;

export class Service implements FrontDoor {
  readonly #store: Store;
  readonly #wakeups: Wakeups;
  readonly #world: World;
  readonly #insistence: Insistence;
  readonly #pollMs: number;
  readonly #closing = new AbortController();
  readonly #starts: Batcher<StartRequest, StartOutcome>;
  readonly #mail: Batcher<MailRequest, MailOutcome>;
  readonly #outcomes: OutcomeWaiter;
  readonly #locals: LocalWorkers;

  constructor(options: ServiceOptions) {
    const { store, wakeups, world, insistForMs = 15_000, pollMs = 1_000, locals = new LocalWorkers() } = options;
    this.#store = store;
    this.#wakeups = wakeups;
    this.#world = world;
    this.#pollMs = pollMs;
    this.#locals = locals;
    this.#insistence = { world, forMs: insistForMs, signal: this.#closing.signal };
    const { clock } = world;
    this.#starts = new Batcher({
      clock,
      most: STARTS_PER_BATCH,
      send: (requests) => insist(this.#insistence, () => store.startRuns(requests)),
    });
    this.#mail = new Batcher({
      clock,
      most: STARTS_PER_BATCH,
      send: (requests) => insist(this.#insistence, () => store.sendMail(requests)),
    });
    this.#outcomes = new OutcomeWaiter({ store, wakeups, world, pollMs, locals });
  }

  async start(call: StartCall): Promise<StartReply> {
    const request = this.#startRequest(call);
    const outcome = await this.#startOne(request);
    this.#wakeStarted([[request, outcome]]);
    if (request.onConflict === "terminateExisting") this.#doErrands();
    return replyTo(request, outcome);
  }

  async startMany(calls: readonly StartCall[]): Promise<readonly StartReply[]> {
    const requests = calls.map((call) => this.#startRequest(call));
    const outcomes = await Promise.all(requests.map((request) => this.#startOne(request)));
    const pairs = requests.map((request, index): [StartRequest, StartOutcome] => [
      request,
      outcomes[index] as StartOutcome,
    ]);
    this.#wakeStarted(pairs);
    return pairs.map(([request, outcome]) => replyTo(request, outcome));
  }

  async signal(to: RunReference, { signalId, name, payload }: SignalCall): Promise<void> {
    assertName(name, "signal name");
    if (signalId !== null) assertWorkflowId(signalId, "signalId");
    // Chosen before the first try: a repeated send is recognised by it.
    const mailId = `signal:${signalId ?? this.#world.chance.uuid()}`;
    await this.#send({ to, kind: "signal", mailId, name, payload });
  }

  async cancel(to: RunReference, reason: string): Promise<void> {
    await this.#send({ to, kind: "cancel", mailId: "cancel", name: reason, payload: null });
  }

  async terminate(to: RunReference, reason: string): Promise<void> {
    let run = await this.#find(to);
    while ((await insist(this.#insistence, () => this.#store.terminateRun(run.runId, reason))) !== "terminated") {
      // It may have continued as new since it was found.
      const latest = await this.#find(to);
      if (latest.runId === run.runId) throw closedError(run.workflowId, "It cannot be terminated any more.");
      run = latest;
    }
    const topics: Topic[] = [`run/${run.runId}`];
    if (run.ownerId !== null) topics.push(`worker/${run.ownerId}`);
    this.#wakeups.publish(topics);
    this.#doErrands();
  }

  async query(to: RunReference, name: string, input: Payload, timeoutMs: number): Promise<Payload> {
    const run = await this.#find(to);
    return this.#ask(run, name, input, timeoutMs);
  }

  async outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun> {
    const startedAt = this.#world.clock.monotonic();
    let runId = "chainOf" in to ? to.chainOf : "runId" in to ? to.runId : (await this.#find(to)).runId;
    if ("runId" in to) await this.#find(to);
    for (;;) {
      const spentMs = this.#world.clock.monotonic() - startedAt;
      const leftMs = timeoutMs === null ? null : Math.max(0, timeoutMs - spentMs);
      const closed = closedRunOf(runId, await this.#await(to, runId, leftMs));
      if (closed.nextRunId === null || !follows) return closed;
      runId = closed.nextRunId;
    }
  }

  async describe(to: RunReference): Promise<RunDescription> {
    const run = await this.#find(to);
    // A run whose worker died in it is not replayed for looking at it: that may end the next worker.
    const hasCrashed = run.ownerId === null && run.crashCount > 0;
    const isSilent = isClosed(run.status) || run.status === "blocked" || hasCrashed || isYetToBegin(run);
    const pending = isSilent ? null : await this.#pendingOf(run);
    const { epoch: _epoch, now: _now, ...facts } = run;
    return { ...facts, pending, summary: summarize(run, pending) };
  }

  async list(call: ListCall): Promise<{ runs: readonly RunSummary[]; next: string | null }> {
    const limit = call.limit ?? DEFAULT_LIST;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST) {
      const message = `list({ limit }) takes a whole number from 1 to ${MAX_LIST}; got ${String(limit)}.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "limit" } });
    }
    const request: ListRequest = {
      limit,
      ...(call.workflow === undefined ? {} : { workflow: call.workflow }),
      ...(call.workflowId === undefined ? {} : { workflowId: call.workflowId }),
      ...(call.queue === undefined ? {} : { queue: call.queue }),
      ...(call.status === undefined ? {} : { status: call.status }),
      ...(call.after === undefined ? {} : { before: call.after }),
    };
    const runs = await insist(this.#insistence, () => this.#store.listRuns(request));
    return { runs, next: runs.length < limit ? null : (runs.at(-1)?.runId ?? null) };
  }

  async *history(to: RunReference): AsyncGenerator<ShownEvent> {
    const { runId, workflowId } = await this.#find(to);
    let afterSeq = 0;
    while (true) {
      const page = await insist(this.#insistence, () => this.#store.readHistory(runId, afterSeq, HISTORY_PAGE));
      for (const stored of page) {
        const event = fromRecord(stored);
        if (event === undefined) {
          const message = `Event ${stored.seq} of run ${workflowId} is of a type that this release does not know. Read it with the release that wrote it.`;
          throw new EverstepError("PAYLOAD_UNREADABLE", message, { details: { runId, seq: stored.seq } });
        }
        yield event;
      }
      if (page.length < HISTORY_PAGE) return;
      afterSeq = page.at(-1)?.seq ?? afterSeq;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#outcomes.close();
  }

  /** What the end of a run has made due. When it fails here, a worker does it at its next regular look. */
  #doErrands(): void {
    const { log } = this.#world;
    doErrands({ store: this.#store, wakeups: this.#wakeups, log }, this.#closing.signal).catch((error: unknown) => {
      log.debug({ error: String(error) }, "errands are left to the workers");
    });
  }

  #startRequest(call: StartCall): StartRequest {
    const { chance } = this.#world;
    assertName(call.workflow, "workflow name");
    if (call.workflowId !== null) assertWorkflowId(call.workflowId, "start({ id })");
    if (call.requestId !== null) assertWorkflowId(call.requestId, "start({ requestId })");
    if (call.queue !== null) assertName(call.queue, "start({ queue })");
    // Chosen before the first try: a repeated start is recognised by it.
    const runId = newRunId(this.#world);
    const seed = chance.uuid();
    const { signal } = call;
    return {
      runId,
      workflowId: call.workflowId ?? runId,
      workflow: call.workflow,
      queue: call.queue ?? DEFAULT_QUEUE,
      started: toRecord({ type: "RunStarted", workflow: call.workflow, input: call.input, seed }),
      requestId: call.requestId,
      onConflict: call.onConflict,
      onReuse: call.onReuse,
      delayMs: call.delayMs,
      timeoutMs: call.timeoutMs,
      signal:
        signal === null
          ? null
          : { mailId: `signal:${signal.signalId ?? chance.uuid()}`, name: signal.name, payload: signal.payload },
      claim: null,
    };
  }

  /** Claimed by a worker of this process in the same statement, where one would execute the run at once. */
  async #startOne(request: StartRequest): Promise<StartOutcome> {
    const offer = request.delayMs === 0 ? this.#locals.offer(request.workflow, request.queue) : undefined;
    if (offer === undefined) return this.#starts.ask(request);
    const claiming: StartRequest = { ...request, claim: offer.claim };
    let outcome: StartOutcome | undefined;
    try {
      outcome = await this.#starts.ask(claiming);
      return outcome;
    } finally {
      this.#locals.settle(offer, claiming, outcome);
    }
  }

  #wakeStarted(pairs: readonly [StartRequest, StartOutcome][]): void {
    const topics = new Set<Topic>();
    for (const [request, { outcome, ownerId }] of pairs) {
      if (outcome === "started" && ownerId === null) topics.add(`queue/${request.queue}`);
      else if (request.signal !== null) topics.add(ownerId === null ? `queue/${request.queue}` : `worker/${ownerId}`);
    }
    this.#wakeups.publish([...topics]);
  }

  async #send(request: MailRequest): Promise<void> {
    const { outcome, mail, runId, queue, ownerId } = await this.#mail.ask(request);
    const name = nameOf(request.to);
    if (outcome === "notFound") throw notFound(name);
    if (outcome === "closed")
      throw closedError(name, `It takes no ${request.kind === "cancel" ? "cancel requests" : "signals"} any more.`);
    if (runId === null) return;
    const { to, ...item } = request;
    if (ownerId !== null && mail !== null && this.#locals.deliver(ownerId, { ...item, runId, mail })) return;
    if (ownerId !== null) this.#wakeups.publish([`worker/${ownerId}`]);
    else if (queue !== null) this.#wakeups.publish([`queue/${queue}`]);
  }

  async #find(to: RunReference): Promise<RunDetail> {
    const run = await insist(this.#insistence, () => this.#store.findRun(to));
    if (run === null) throw notFound(nameOf(to));
    return run;
  }

  #ask(run: RunDetail, name: string, input: Payload, timeoutMs: number): Promise<Payload> {
    return askQuery({
      store: this.#store,
      wakeups: this.#wakeups,
      world: this.#world,
      pollMs: this.#pollMs,
      signal: this.#closing.signal,
      run,
      name,
      input,
      timeoutMs,
    });
  }

  /** Only a worker knows what is pending; without one, the store's facts must do. */
  async #pendingOf(run: RunDetail): Promise<PendingWork | null> {
    try {
      const answer = await this.#ask(run, PENDING_QUERY, null, DESCRIBE_QUERY_MS);
      return decodePayload(answer, `pending work of run ${run.workflowId}`) as PendingWork;
    } catch {
      return null;
    }
  }

  async #await(to: RunReference, runId: string, timeoutMs: number | null): Promise<StoredOutcome> {
    const { clock } = this.#world;
    return new Promise((resolve, reject) => {
      let cancelTimer = () => {};
      const stop = this.#outcomes.wait(runId, {
        closed(outcome) {
          cancelTimer();
          resolve(outcome);
        },
        abandoned() {
          cancelTimer();
          reject(stillOpen(to, null));
        },
      });
      if (timeoutMs === null) return;
      cancelTimer = clock.setTimer(timeoutMs, () => {
        stop();
        reject(stillOpen(to, timeoutMs));
      });
    });
  }
}

function replyTo(request: StartRequest, { outcome, runId, status }: StartOutcome): StartReply {
  if (outcome !== "refused") return { runId, workflowId: request.workflowId, isNew: outcome === "started" };
  const { workflowId } = request;
  const why = isClosed(status)
    ? `Run ${workflowId} was started before and is ${status}; onReuse "${request.onReuse}" does not start it again.`
    : `Run ${workflowId} is already open (run id ${runId}). Use its handle, or start with onConflict "useExisting" or "terminateExisting".`;
  throw new EverstepError("RUN_ALREADY_STARTED", why, { details: { workflowId, runId, status } });
}

function closedRunOf(runId: string, { status, event: stored }: StoredOutcome): ClosedRun {
  const event = fromRecord(stored);
  return {
    runId,
    status,
    result: event?.type === "RunCompleted" ? event.result : null,
    failure: event?.type === "RunFailed" || event?.type === "RunCanceled" ? event.failure : null,
    nextRunId: event?.type === "RunContinued" ? event.nextRunId : null,
  };
}

function nameOf(to: RunReference): string {
  if ("runId" in to) return to.runId;
  return "chainOf" in to ? to.chainOf : to.workflowId;
}

function notFound(name: string): EverstepError {
  const message = `There is no run ${name} in this database. Check the id, and that client and worker use the same database.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name } });
}

function closedError(name: string, consequence: string): EverstepError {
  return new EverstepError("RUN_CLOSED", `Run ${name} is closed. ${consequence}`, { details: { run: name } });
}

function stillOpen(to: RunReference, timeoutMs: number | null): EverstepError {
  const name = nameOf(to);
  const what = timeoutMs === null ? "The client was closed" : `${timeoutMs} ms passed`;
  return new EverstepError("RUN_STILL_OPEN", `${what} before run ${name} had a result. The run goes on; ask again.`, {
    details: { run: name },
  });
}
