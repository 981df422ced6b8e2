// The front door's rules, in one place: what may be asked of runs, how a call survives a store that is away for a
// moment, and who is woken by it.

import { decodeTime } from "ulid";
import type {
  ClosedRun,
  CountCall,
  CountedGroup,
  ForkCall,
  ForkedRun,
  FrontDoor,
  ListCall,
  PruneCall,
  PrunedRuns,
  RunDescription,
  RunReference,
  SentUpdate,
  ShownEvent,
  SignalCall,
  StartCall,
  StartReply,
  StepReference,
  StepReportCall,
  UpdateCall,
  UpdateOutcome,
  UpdateStage,
} from "../../sdk/client/front-door.ts";
import { attributeValueOf } from "../../sdk/protocol/attributes.ts";
import { EverstepError, invariant } from "../../sdk/protocol/errors.ts";
import { EVENT_CODES, type RunStarted } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent, toRecord } from "../../sdk/protocol/event-record.ts";
import { checkedHeaders } from "../../sdk/protocol/headers.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { PENDING_QUERY, type PendingWork } from "../../sdk/protocol/pending-work.ts";
import { DEFAULT_QUEUE, isClosed, type PatchedRun, type RunPatch, type RunSummary } from "../../sdk/protocol/run.ts";
import { CANCEL_MAIL_ID, signalMailId, updateIdOf, updateMailId } from "../store/mail-id.ts";
import {
  type ControlKind,
  type CountRequest,
  codecsOf,
  type ImportOutcome,
  type ImportRequest,
  type MailOutcome,
  type MailRequest,
  type RunDetail,
  type StartOutcome,
  type StartRequest,
  type Store,
  type StoreCodecs,
} from "../store/store.ts";
import type { Topic, Wakeups } from "../wake/wakeups.ts";
import { newRunId } from "../world/run-id.ts";
import type { World } from "../world/world.ts";
import { Batcher } from "./batcher.ts";
import { doErrands } from "./errands.ts";
import { planFork } from "./forking.ts";
import { exportRun, readEvents } from "./history-export.ts";
import { importRequest } from "./history-import.ts";
import { InOrder } from "./in-order.ts";
import { type Insistence, insist } from "./insist.ts";
import { listRequest, MAX_LIST, positionOf, runFilter, shownData, shownSummary } from "./lists.ts";
import { LocalWorkers } from "./local-workers.ts";
import { readDetails, readNotes } from "./notes.ts";
import { OutcomeWaiter, type StoredOutcome } from "./outcome-waiter.ts";
import { type Pruned, pruneRuns } from "./pruning.ts";
import { askQuery } from "./question.ts";
import { StepReports } from "./step-reports.ts";
import { isYetToBegin, summarize } from "./summary.ts";
import { UpdateWaiter } from "./update-waiter.ts";

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
const FRESH_MS = 10_000;
const DEFAULT_LIST = 50;
const DESCRIBE_QUERY_MS = 1_500;
const STARTS_PER_BATCH = 1_000;
const CONTROLLED = { pause: "paused", resume: "resumed", unblock: "unblocked" } as const;

export class Service implements FrontDoor {
  readonly #store: Store;
  readonly #codecs: StoreCodecs | undefined;
  readonly #wakeups: Wakeups;
  readonly #world: World;
  readonly #insistence: Insistence;
  readonly #pollMs: number;
  readonly #closing = new AbortController();
  readonly #starts: Batcher<StartRequest, StartOutcome>;
  readonly #mail: Batcher<MailRequest, MailOutcome>;
  /** Whether runs are there, asked for many callers at once. */
  readonly #existence: Batcher<string, boolean>;
  readonly #outcomes: OutcomeWaiter;
  readonly #locals: LocalWorkers;
  readonly #encodedMail = new InOrder();
  readonly #updates: UpdateWaiter;
  readonly #reports: StepReports;

  constructor(options: ServiceOptions) {
    const { store, wakeups, world, insistForMs = 15_000, pollMs = 1_000, locals = new LocalWorkers() } = options;
    this.#store = store;
    this.#codecs = codecsOf(store);
    this.#wakeups = wakeups;
    this.#world = world;
    this.#pollMs = pollMs;
    this.#locals = locals;
    this.#insistence = { world, forMs: insistForMs, signal: this.#closing.signal };
    const { clock } = world;
    // With codecs, each start, item of mail and outcome is coded by itself: none waits for the codecs of another.
    const kept = this.#codecs?.kept ?? store;
    this.#starts = new Batcher({
      clock,
      most: STARTS_PER_BATCH,
      send: (requests) => insist(this.#insistence, () => kept.startRuns(requests)),
    });
    this.#mail = new Batcher({
      clock,
      most: STARTS_PER_BATCH,
      send: (requests) => insist(this.#insistence, () => kept.sendMail(requests)),
    });
    this.#existence = new Batcher({
      clock,
      most: STARTS_PER_BATCH,
      send: async (runIds) => {
        const missing = new Set(await insist(this.#insistence, () => store.missingRuns(runIds)));
        return runIds.map((runId) => !missing.has(runId));
      },
    });
    // Workers here tell of outcomes, and are told of mail, in plain form: with codecs both go by way of the store.
    const told = this.#codecs === undefined ? locals : new LocalWorkers();
    this.#outcomes = new OutcomeWaiter({ store: kept, wakeups, world, pollMs, locals: told });
    this.#updates = new UpdateWaiter({
      store: kept,
      codecs: this.#codecs,
      wakeups,
      pollMs,
      insistence: this.#insistence,
    });
    this.#reports = new StepReports({
      store: kept,
      insistence: this.#insistence,
      find: (to) => this.#find(to),
      send: (request) => this.#send(request),
    });
  }

  async start(call: StartCall): Promise<StartReply> {
    const request = this.#startRequest(call);
    const outcome = await this.#startOne(request);
    this.#wakeStarted([[request, outcome]]);
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
    const mailId = signalMailId(signalId ?? this.#world.chance.uuid());
    await this.#send({ to, kind: "signal", mailId, name, payload });
  }

  async sendUpdate(to: RunReference, { updateId, name, input }: UpdateCall): Promise<SentUpdate> {
    const id = this.#updateId({ updateId, name });
    const mail = await this.#send({ to, kind: "update", mailId: updateMailId(id), name, payload: input });
    return { to: mail.runId === null ? to : { chainOf: mail.runId }, updateId: id, name, after: mail.events };
  }

  async awaitUpdate(update: SentUpdate, stage: UpdateStage, timeoutMs: number | null): Promise<UpdateOutcome | null> {
    const { to } = update;
    const runId = "chainOf" in to ? to.chainOf : (await this.#find(to)).runId;
    return this.#updates.wait({ ...update, runId, run: nameOf(to) }, stage, timeoutMs);
  }

  reportStep(step: StepReference, report: StepReportCall): Promise<void> {
    return this.#reports.report(step, report);
  }

  async cancel(to: RunReference, reason: string): Promise<void> {
    await this.#send({ to, kind: "cancel", mailId: CANCEL_MAIL_ID, name: reason, payload: null });
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

  pause(to: RunReference, reason: string): Promise<void> {
    return this.#control(to, "pause", reason);
  }

  resume(to: RunReference): Promise<void> {
    return this.#control(to, "resume", "");
  }

  unblock(to: RunReference): Promise<void> {
    return this.#control(to, "unblock", "");
  }

  async fork(to: RunReference, call: ForkCall): Promise<ForkedRun> {
    const { chance } = this.#world;
    if (call.workflowId !== null) assertWorkflowId(call.workflowId, "fork({ id })");
    const source = await this.#find(to);
    const events = await insist(this.#insistence, () => readEvents(this.#store, source.runId));
    // Chosen before the first try: a repeated fork is recognised by it.
    const runId = newRunId(this.#world);
    const request = planFork(source, events, call, { runId, seed: chance.uuid() });
    const { workflowId } = request;
    const { outcome, runId: found } = await insist(this.#insistence, () => this.#store.forkRun(request));
    if (outcome === "notFound") throw notFound(nameOf(to));
    if (outcome === "refused") {
      const message = `Run ${workflowId} is open (run id ${found}), so no fork can have its id. Give the fork an id of its own, or use reset() to put it in the place of the run.`;
      throw new EverstepError("RUN_ALREADY_STARTED", message, { details: { workflowId, runId: found } });
    }
    const topics: Topic[] = [`queue/${source.queue}`];
    if (request.terminates !== null && source.closedAt === null) topics.push(`run/${source.runId}`);
    if (request.terminates !== null && source.ownerId !== null) topics.push(`worker/${source.ownerId}`);
    this.#wakeups.publish(topics);
    return { runId, workflowId };
  }

  async query(to: RunReference, name: string, input: Payload, timeoutMs: number): Promise<Payload> {
    const run = await this.#find(to);
    return this.#ask(run, name, input, timeoutMs);
  }

  async outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun> {
    const startedAt = this.#world.clock.monotonic();
    let runId = await this.#firstToAwait(to);
    for (;;) {
      const spentMs = this.#world.clock.monotonic() - startedAt;
      const closed = closedRunOf(runId, await this.#readable(runId, await this.#await(to, runId, timeoutMs, spentMs)));
      if (closed.nextRunId === null || !follows) return closed;
      runId = closed.nextRunId;
      if (!this.#isFresh(runId) && !(await this.#existence.ask(runId))) throw notKept(nameOf(to), runId);
    }
  }

  async #readable(runId: string, { status, event }: StoredOutcome): Promise<StoredOutcome> {
    const codecs = this.#codecs;
    if (codecs === undefined) return { status, event };
    return { status, event: await insist(this.#insistence, () => codecs.decodeEvent(runId, event)) };
  }

  async describe(to: RunReference): Promise<RunDescription> {
    const run = await this.#find(to);
    // A run whose worker died in it is not replayed for looking at it: that may end the next worker.
    const hasCrashed = run.ownerId === null && run.crashCount > 0;
    const isSilent = isClosed(run.status) || run.status === "blocked" || hasCrashed || isYetToBegin(run);
    const pending = isSilent ? null : await this.#pendingOf(run);
    const [notes, staticDetails] = await insist(this.#insistence, () =>
      Promise.all([readNotes(this.#store, run), readDetails(this.#store, run)]),
    );
    const { epoch: _epoch, now: _now, data, ...facts } = run;
    const shown = shownData(data, run.workflowId);
    return { ...facts, ...shown, staticDetails, notes, pending, summary: summarize(run, pending) };
  }

  async list(call: ListCall): Promise<{ runs: readonly RunSummary[]; next: string | null }> {
    const limit = call.limit ?? DEFAULT_LIST;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIST) {
      const message = `list({ limit }) takes a whole number from 1 to ${MAX_LIST}; got ${String(limit)}.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "limit" } });
    }
    const request = listRequest(call, limit);
    const runs = await insist(this.#insistence, () => this.#store.listRuns(request));
    const last = runs.length < limit ? undefined : runs.at(-1);
    return { runs: runs.map(shownSummary), next: last === undefined ? null : positionOf(last, request) };
  }

  async count(call: CountCall): Promise<readonly CountedGroup[]> {
    const { by, ...filter } = call;
    const request: CountRequest = { ...runFilter(filter), by, limit: MAX_LIST };
    const groups = await insist(this.#insistence, () => this.#store.countRuns(request));
    return groups.map(({ value, count }) => ({ value: value === null ? null : attributeValueOf(value), count }));
  }

  async exportRun(to: RunReference): Promise<HistoryFile> {
    const run = await this.#find(to);
    return insist(this.#insistence, () => exportRun(this.#store, run));
  }

  async importRun(file: HistoryFile): Promise<{ runId: string; workflowId: string }> {
    // Chosen before the first try: a repeated import is recognised by it.
    const request = importRequest(file, this.#world.chance.uuid());
    const { runId, workflowId, queue, closed } = request;
    const outcome = await insist(this.#insistence, () => this.#store.importRun(request));
    if (outcome !== "imported") throw notImported(request, outcome);
    if (closed === null) this.#wakeups.publish([`queue/${queue}`]);
    return { runId, workflowId };
  }

  async prune({ workflow, closedForMs, isDryRun }: PruneCall): Promise<PrunedRuns> {
    const [store, signal] = [this.#store, this.#closing.signal];
    const rules = [{ workflow, retentionMs: closedForMs }];
    const pruned = { runs: 0, events: 0 };
    let after: string | null = null;
    do {
      const from: string | null = after;
      const page: Pruned = await insist(this.#insistence, () =>
        pruneRuns({ store, rules, after: from, maxPages: 1, isDryRun, signal }),
      );
      pruned.runs += page.runs;
      pruned.events += page.events;
      after = page.next;
    } while (after !== null && !signal.aborted);
    return pruned;
  }

  async listPatches(call: ListCall): Promise<{ runs: readonly PatchedRun[]; next: string | null }> {
    const { runs, next } = await this.list(call);
    const runIds = runs.map(({ runId }) => runId);
    const marks = await insist(this.#insistence, () => this.#store.readEventsOfType(runIds, EVENT_CODES.PatchMarked));
    return { runs: runs.map((run) => ({ ...run, patches: (marks.get(run.runId) ?? []).map(patchOf) })), next };
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
    const { attributes = null, memo = null, summary, details, workflow, input } = call;
    // Here, where every way of starting a run comes by: interceptors may have changed them.
    const headers = checkedHeaders(call.headers, "start({ headers })");
    const started: RunStarted = {
      type: "RunStarted",
      workflow,
      input,
      seed,
      attributes,
      memo,
      ...(summary === undefined ? {} : { summary }),
      ...(details === undefined ? {} : { details }),
      ...(headers === undefined ? {} : { headers }),
    };
    return {
      runId,
      workflowId: call.workflowId ?? runId,
      workflow,
      queue: call.queue ?? DEFAULT_QUEUE,
      started: toRecord(started),
      carriesData: attributes !== null || memo !== null || summary !== undefined || details !== undefined,
      requestId: call.requestId,
      onConflict: call.onConflict,
      onReuse: call.onReuse,
      delayMs: call.delayMs,
      timeoutMs: call.timeoutMs,
      mail: this.#mailOf(call),
      claim: null,
    };
  }

  #startOne(call: StartRequest): Promise<StartOutcome> {
    const codecs = this.#codecs;
    if (codecs === undefined) return this.#startEncoded(call);
    return insist(this.#insistence, () => codecs.encodeStart(call)).then((request) => this.#startEncoded(request));
  }

  /** Claimed by a worker of this process in the same statement, where one would execute the run at once. */
  async #startEncoded(request: StartRequest): Promise<StartOutcome> {
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

  /** Mail to one run is sent in the order of the calls, whichever is encoded first. */
  async #askMail(request: MailRequest): Promise<MailOutcome> {
    const codecs = this.#codecs;
    if (codecs === undefined) return this.#mail.ask(request);
    const encoding = insist(this.#insistence, () => codecs.encodeMail(request));
    return this.#mail.ask(await this.#encodedMail.after(nameOf(request.to), encoding));
  }

  #mailOf({ signal, update }: StartCall): StartRequest["mail"] {
    if (signal !== null) {
      const { signalId, name, payload } = signal;
      return { kind: "signal", mailId: signalMailId(signalId ?? this.#world.chance.uuid()), name, payload };
    }
    if (update === null) return null;
    const { name, input } = update;
    return { kind: "update", mailId: updateMailId(this.#updateId(update)), name, payload: input };
  }

  /** The sender's, or a new one: chosen before the first try, so that a repeated send is recognised by it. */
  #updateId({ updateId, name }: Pick<UpdateCall, "updateId" | "name">): string {
    assertName(name, "update name");
    if (updateId !== null) assertWorkflowId(updateId, "updateId");
    return updateId ?? this.#world.chance.uuid();
  }

  #wakeStarted(pairs: readonly [StartRequest, StartOutcome][]): void {
    const topics = new Set<Topic>();
    for (const [request, { outcome, ownerId }] of pairs) {
      if (outcome === "started" && ownerId === null) topics.add(`queue/${request.queue}`);
      else if (request.mail !== null) topics.add(ownerId === null ? `queue/${request.queue}` : `worker/${ownerId}`);
    }
    this.#wakeups.publish([...topics]);
    if (pairs.some(([{ onConflict }]) => onConflict === "terminateExisting")) this.#doErrands();
  }

  async #send(request: MailRequest): Promise<MailOutcome> {
    const sent = await this.#askMail(request);
    const { outcome, mail, runId, queue, ownerId } = sent;
    const name = nameOf(request.to);
    if (outcome === "notFound") throw notFound(name);
    if (outcome === "closed") throw closedError(name, `It takes no ${MAIL_WORDS[request.kind]} any more.`);
    if (runId === null) return sent;
    const { to: _to, ...item } = request;
    const isPlain = this.#codecs === undefined;
    if (isPlain && ownerId !== null && mail !== null && this.#locals.deliver(ownerId, { ...item, runId, mail }))
      return sent;
    if (ownerId !== null) this.#wakeups.publish([`worker/${ownerId}`]);
    else if (queue !== null) this.#wakeups.publish([`queue/${queue}`]);
    return sent;
  }

  async #control(to: RunReference, kind: ControlKind, reason: string): Promise<void> {
    const { runId, workflowId } = await this.#find(to);
    // Chosen before the first try: a repeated request is recognised by it.
    const request = { runId, kind, mailId: `${kind}:${this.#world.chance.uuid()}`, reason };
    const { outcome, queue, ownerId } = await insist(this.#insistence, () => this.#store.controlRun(request));
    if (outcome === "closed") throw closedError(workflowId, `It cannot be ${CONTROLLED[kind]} any more.`);
    if (outcome === "notFound") throw notFound(nameOf(to));
    if (ownerId !== null) this.#wakeups.publish([`worker/${ownerId}`]);
    else if (queue !== null) this.#wakeups.publish([`queue/${queue}`]);
  }

  /** Nobody would ever tell of the end of a run that is not there: what was not started just now is looked for. */
  async #firstToAwait(to: RunReference): Promise<string> {
    if ("workflowId" in to) return (await this.#find(to)).runId;
    const isKnown = "chainOf" in to && this.#isFresh(to.chainOf);
    const runId = nameOf(to);
    if (!isKnown && !(await this.#existence.ask(runId))) throw notFound(runId);
    return runId;
  }

  /** Started so short a time ago that it cannot have been deleted. */
  #isFresh(runId: string): boolean {
    return this.#world.clock.now() - decodeTime(runId) < FRESH_MS;
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

  /** `spentMs`: of the timeout, on runs of the chain before this one. */
  async #await(to: RunReference, runId: string, timeoutMs: number | null, spentMs: number): Promise<StoredOutcome> {
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
      cancelTimer = clock.setTimer(Math.max(0, timeoutMs - spentMs), () => {
        stop();
        reject(stillOpen(to, timeoutMs));
      });
    });
  }
}

const MAIL_WORDS: Readonly<Record<MailRequest["kind"], string>> = {
  signal: "signals",
  update: "updates",
  cancel: "cancel requests",
  stepReport: "reports on its steps",
  answer: "answers",
};

function replyTo(request: StartRequest, { outcome, runId, status }: StartOutcome): StartReply {
  const { workflowId, mail } = request;
  if (outcome !== "refused") {
    const update: SentUpdate | null =
      mail?.kind === "update"
        ? { to: { chainOf: runId }, updateId: updateIdOf(mail.mailId), name: mail.name, after: 0 }
        : null;
    return { runId, workflowId, isNew: outcome === "started", update };
  }
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

function patchOf(stored: StoredEvent): RunPatch {
  const event = fromRecord(stored);
  invariant(event?.type === "PatchMarked", "the store reads events of the type it was asked for", { ...stored });
  return { id: event.name, isDeprecated: event.isDeprecated };
}

function notImported({ runId, workflowId }: ImportRequest, outcome: Exclude<ImportOutcome, "imported">): EverstepError {
  const why =
    outcome === "runExists"
      ? `Run ${runId} (${workflowId}) is in this database already. Nothing was imported.`
      : `Run ${workflowId} is open in this database, and so is the one to be imported. Nothing was imported; end the one that is here, or leave it.`;
  return new EverstepError("RUN_ALREADY_STARTED", why, { details: { workflowId, runId } });
}

function nameOf(to: RunReference): string {
  if ("runId" in to) return to.runId;
  return "chainOf" in to ? to.chainOf : to.workflowId;
}

function notFound(name: string): EverstepError {
  const message = `There is no run ${name} in this database. Check the id, and that client and worker use the same database.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name } });
}

function notKept(name: string, runId: string): EverstepError {
  const message = `Run ${name} continued as new, and what it continued as (run id ${runId}) has been deleted: its retention has passed.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name, runId } });
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
