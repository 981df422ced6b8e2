// Starting runs: one at a time or many, all that are asked for at the same moment in one statement.

import type { SentUpdate, StartCall, StartReply } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { RunStarted } from "../../sdk/protocol/event.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { checkedHeaders } from "../../sdk/protocol/headers.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import { DEFAULT_QUEUE, isClosed } from "../../sdk/protocol/run.ts";
import { shorterOf } from "../../sdk/protocol/run-limits.ts";
import { updateIdOf } from "../store/mail-id.ts";
import type { StartOutcome, StartRequest } from "../store/starts.ts";
import type { Topic } from "../wake/wakeups.ts";
import { newRunId } from "../world/run-id.ts";
import { Batcher } from "./batcher.ts";
import type { Desk } from "./desk.ts";
import type { LocalWorkers } from "./local-workers.ts";
import { mailWith } from "./mailing.ts";
import type { Versions } from "./versions.ts";

const STARTS_PER_BATCH = 1_000;

export class Starting {
  readonly #desk: Desk;
  readonly #locals: LocalWorkers;
  readonly #versions: Versions;
  readonly #starts: Batcher<StartRequest, StartOutcome>;

  constructor(desk: Desk, locals: LocalWorkers, versions: Versions) {
    this.#desk = desk;
    this.#locals = locals;
    this.#versions = versions;
    this.#starts = new Batcher({
      clock: desk.world.clock,
      most: STARTS_PER_BATCH,
      send: (requests) => desk.insist(() => desk.kept.startRuns(requests)),
    });
  }

  async start(call: StartCall): Promise<StartReply> {
    const plain = this.#startRequest(call);
    // Where nobody speaks of versions, nothing is looked up.
    const request = call.version == null ? plain : await this.#versions.chosen(plain, call.version);
    const outcome = await this.#startOne(request);
    this.#wakeStarted([[request, outcome]]);
    return replyTo(request, outcome);
  }

  async startMany(calls: readonly StartCall[]): Promise<readonly StartReply[]> {
    const plain = calls.map((call) => this.#startRequest(call));
    const areVersioned = calls.some(({ version }) => version != null);
    const requests = areVersioned ? await this.#chosen(plain, calls) : plain;
    const outcomes = await Promise.all(requests.map((request) => this.#startOne(request)));
    const pairs = requests.map((request, index): [StartRequest, StartOutcome] => [
      request,
      outcomes[index] as StartOutcome,
    ]);
    this.#wakeStarted(pairs);
    return pairs.map(([request, outcome]) => replyTo(request, outcome));
  }

  #chosen(requests: readonly StartRequest[], calls: readonly StartCall[]): Promise<readonly StartRequest[]> {
    return Promise.all(
      requests.map((request, index) => {
        const ask = calls[index]?.version ?? null;
        return ask === null ? request : this.#versions.chosen(request, ask);
      }),
    );
  }

  #startRequest(call: StartCall): StartRequest {
    const { chance } = this.#desk.world;
    assertName(call.workflow, "workflow name");
    if (call.workflowId !== null) assertWorkflowId(call.workflowId, "start({ id })");
    if (call.requestId !== null) assertWorkflowId(call.requestId, "start({ requestId })");
    if (call.queue !== null) assertName(call.queue, "start({ queue })");
    // Chosen before the first try: a repeated start is recognised by it.
    const runId = newRunId(this.#desk.world);
    const seed = chance.uuid();
    const { attributes = null, memo = null, summary, details, workflow, input } = call;
    // Here, where every way of starting a run comes by: interceptors may have changed them.
    const headers = checkedHeaders(call.headers, "start({ headers })");
    const started: { -readonly [Field in keyof RunStarted]: RunStarted[Field] } = {
      type: "RunStarted",
      workflow,
      input,
      seed,
      attributes,
      memo,
    };
    if (summary !== undefined) started.summary = summary;
    if (details !== undefined) started.details = details;
    if (headers !== undefined) started.headers = headers;
    if (call.chainTimeoutMs != null) started.chainTimeoutMs = call.chainTimeoutMs;
    if (call.retry !== undefined) started.retry = call.retry;
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
      timeoutMs: shorterOf(call.timeoutMs, call.chainTimeoutMs ?? null),
      mail: mailWith(call, chance),
      claim: null,
    };
  }

  #startOne(call: StartRequest): Promise<StartOutcome> {
    const codecs = this.#desk.codecs;
    if (codecs === undefined) return this.#startEncoded(call);
    return this.#desk.insist(() => codecs.encodeStart(call)).then((request) => this.#startEncoded(request));
  }

  /** Claimed by a worker of this process in the same statement, where one would execute the run at once. */
  #startEncoded(request: StartRequest): Promise<StartOutcome> {
    const { workflow, queue, version = null } = request;
    const offer = request.delayMs === 0 ? this.#locals.offer({ workflow, version }, queue) : undefined;
    if (offer === undefined) return this.#starts.ask(request);
    const claiming: StartRequest = { ...request, claim: offer.claim };
    return this.#starts.ask(claiming, (outcome) => this.#locals.settle(offer, claiming, outcome));
  }

  #wakeStarted(pairs: readonly [StartRequest, StartOutcome][]): void {
    const topics = new Set<Topic>();
    for (const [request, { outcome, ownerId }] of pairs) {
      if (outcome === "started" && ownerId === null) topics.add(`queue/${request.queue}`);
      else if (request.mail !== null) topics.add(ownerId === null ? `queue/${request.queue}` : `worker/${ownerId}`);
    }
    this.#desk.wakeups.publish([...topics]);
    if (pairs.some(([{ onConflict }]) => onConflict === "terminateExisting")) this.#desk.doErrands();
  }
}

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
