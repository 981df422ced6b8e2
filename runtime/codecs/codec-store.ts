// A store whose payloads go through codecs: encoded on their way in, decoded on their way out. Engine, worker and the store
// behind it know nothing of codecs. Where one call is about many runs, the codecs of one cannot hold up the others for
// longer than a moment: what is late or fails is left out, in the way that each call has of saying "ask again".

import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import { unreadablePayload } from "../../sdk/protocol/payload-encoded.ts";
import type { VersionPolicy } from "../../sdk/protocol/version-policy.ts";
import type { Claim, ClaimedRun, ClaimRequest, ParkRequest } from "../store/claims.ts";
import type { ForkOutcome, ForkRequest } from "../store/forks.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { ListLocksRequest } from "../store/locks.ts";
import type { ControlRequest, MailItem, MailRequest, MoveRequest, UpdateLook } from "../store/mail.ts";
import type { QueryAnswer, QueryRequest, TakenQuery } from "../store/questions.ts";
import type { ExpiredRequest } from "../store/retention.ts";
import type { RunRef } from "../store/run-ref.ts";
import type { BlockedRequest, CountRequest, ListRequest, StepRef } from "../store/runs.ts";
import type { ImportRequest, StartRequest } from "../store/starts.ts";
import type { Store, Transaction } from "../store/store.ts";
import type { AppendTurn } from "../store/turns.ts";
import type { Clock, World } from "../world/world.ts";
import { ForkCopy } from "./fork-copy.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import { PayloadCoder } from "./payload-coder.ts";
import { answerPlace, heartbeatPlace, queryPlace } from "./payload-places.ts";

/** How long one run's codecs may keep a call waiting that is about other runs, too. */
const PATIENCE_MS = 250;

export class CodecStore implements Store {
  readonly codecs: PayloadCoder;
  readonly #kept: Store;
  readonly #clock: Clock;
  readonly #copies = new WeakMap<ForkRequest, ForkCopy>();

  /** Throws CONFIGURATION_INVALID for codecs without a name of their own. */
  constructor(kept: Store, codecs: readonly PayloadCodec[], world: World) {
    this.#kept = kept;
    this.#clock = world.clock;
    this.codecs = new PayloadCoder(kept, codecs, world);
  }

  // ---------------------------------------------------------------- workers

  async claimRuns(request: ClaimRequest) {
    const answer = await this.#kept.claimRuns(request);
    return { ...answer, claimed: await this.#withHistories(answer.claimed) };
  }

  async claimBlocked(workerId: string, claimId: string, runIds: readonly string[]) {
    return this.#withHistories(await this.#kept.claimBlocked(workerId, claimId, runIds));
  }

  async loadHistories(runIds: readonly string[]) {
    const histories = await this.#kept.loadHistories(runIds);
    return Promise.all(histories.map((history) => this.codecs.decodeHistory(history)));
  }

  /** A turn that cannot be encoded now is not committed: its writer finds that it has not landed, and sends it again. */
  appendTurns(turns: readonly AppendTurn[]) {
    return this.#append(turns, (encoded) => this.#kept.appendTurns(encoded));
  }

  /** As `appendTurns`. */
  appendWithEffects(turns: readonly AppendTurn[]) {
    return this.#append(turns, (encoded) => this.#kept.appendWithEffects(encoded));
  }

  async #append(turns: readonly AppendTurn[], append: Store["appendTurns"]) {
    if (turns.length === 0) return append(turns);
    const encoding = await this.#within(turns.map((turn) => this.codecs.encodeTurn(turn)));
    const encoded = encoding.flatMap((each) => (each?.status === "fulfilled" ? [each.value] : []));
    const refused = encoding.find((each) => each?.status === "rejected" && !isTransient(each.reason));
    if (refused?.status === "rejected") throw rejected(refused.reason);
    if (encoded.length === 0) throw reasonOf(encoding[0]);
    return append(encoded);
  }

  async appendInTransaction(work: (tx: Transaction) => Promise<AppendTurn>) {
    return this.#kept.appendInTransaction(async (tx) => {
      const turn = await work(tx);
      return this.codecs.encodeTurn(turn).catch((error: unknown) => {
        throw isTransient(error) ? error : rejected(error);
      });
    });
  }

  resolveTurns(turns: readonly AppendTurn[]) {
    return this.#kept.resolveTurns(turns);
  }

  confirm(workerId: string) {
    return this.#kept.confirm(workerId);
  }

  /** Rejects with CODEC_FAILED when the mail of one of several runs is late: each can be read alone. */
  async readMail(boxes: readonly { readonly runId: string; readonly after: number }[], limit: number) {
    const items = await this.#kept.readMail(boxes, limit);
    const decoding = items.map((item) => this.#readable(item));
    if (boxes.length < 2) return Promise.all(decoding);
    return (await this.#within(decoding)).map((each) => {
      if (each?.status !== "fulfilled") throw reasonOf(each);
      return each.value;
    });
  }

  runsWithMail(workerId: string) {
    return this.#kept.runsWithMail(workerId);
  }

  parkRuns(requests: readonly ParkRequest[]) {
    return this.#kept.parkRuns(requests);
  }

  claimsOf(workerId: string) {
    return this.#kept.claimsOf(workerId);
  }

  releaseRuns(claims: readonly Claim[]) {
    return this.#kept.releaseRuns(claims);
  }

  blockRuns(blocks: Parameters<Store["blockRuns"]>[0]) {
    return this.#kept.blockRuns(blocks);
  }

  /** Details that cannot be encoded now are not kept; that says nothing of the claim. */
  async saveHeartbeats(beats: Parameters<Store["saveHeartbeats"]>[0]) {
    const encoding = beats.map(async (beat) => {
      const place = heartbeatPlace(beat.claim.runId, beat.command, beat.attempt);
      return { ...beat, details: await this.codecs.encode(beat.details, place) };
    });
    const settled = await this.#within(encoding);
    const encoded = settled.flatMap((each) => (each?.status === "fulfilled" ? [each.value] : []));
    const held = new Set(await this.#kept.saveHeartbeats(encoded));
    for (const [index, { claim }] of beats.entries()) if (settled[index]?.status !== "fulfilled") held.add(claim.runId);
    return held;
  }

  /** A question that cannot be read now is left out: it is asked again. */
  async takeQueries(workerId: string, queues: readonly string[], limit: number) {
    const taken = await this.#kept.takeQueries(workerId, queues, limit);
    const decoding = taken.map(async (query): Promise<TakenQuery> => {
      return { ...query, input: await this.codecs.decode(query.input, queryPlace(query)) };
    });
    return (await this.#within(decoding)).flatMap((each, index): TakenQuery[] => {
      if (each?.status === "fulfilled") return [each.value];
      if (each === undefined || isTransient(each.reason)) return [];
      return [{ ...(taken[index] as TakenQuery), input: unreadablePayload(reasonOf(each).message) }];
    });
  }

  /** An answer that cannot be encoded now is left out: its question is asked again. */
  async answerQueries(answers: Parameters<Store["answerQueries"]>[0]) {
    const encoding = answers.map(async ({ queryId, answer }) => {
      if (!answer.ok) return { queryId, answer };
      const payload = await this.codecs.encode(answer.payload, answerPlace(queryId));
      return { queryId, answer: { ok: true, payload } as const };
    });
    const encoded = (await this.#within(encoding)).flatMap((each, index) => {
      if (each?.status === "fulfilled") return [each.value];
      if (each === undefined || isTransient(each.reason)) return [];
      const answer: QueryAnswer = { ok: false, code: "QUERY_FAILED", message: reasonOf(each).message };
      return [{ queryId: answers[index]?.queryId ?? "", answer }];
    });
    await this.#kept.answerQueries(encoded);
  }

  registerVersions(versions: readonly VersionKey[]) {
    return this.#kept.registerVersions(versions);
  }

  // ---------------------------------------------------------------- sweeps

  ownerIds() {
    return this.#kept.ownerIds();
  }

  rescueRuns(workerId: string, limit: number) {
    return this.#kept.rescueRuns(workerId, limit);
  }

  closeOverdue(limit: number) {
    return this.#kept.closeOverdue(limit);
  }

  findBlocked(request: BlockedRequest) {
    return this.#kept.findBlocked(request);
  }

  runErrands(limit: number) {
    return this.#kept.runErrands(limit);
  }

  findExpired(request: ExpiredRequest) {
    return this.#kept.findExpired(request);
  }

  async deleteRuns(runIds: readonly string[]) {
    const { forgetting } = this.codecs;
    const forgettable = await forgetting.forgettable(runIds);
    const deleted = await this.#kept.deleteRuns(runIds);
    await forgetting.forget(deleted.filter((runId) => forgettable.has(runId)));
    return deleted;
  }

  forgetLeftovers() {
    return this.#kept.forgetLeftovers();
  }

  // ---------------------------------------------------------------- clients

  async startRuns(requests: readonly StartRequest[]) {
    return this.#kept.startRuns(await Promise.all(requests.map((request) => this.codecs.encodeStart(request))));
  }

  async importRun(request: ImportRequest) {
    return this.#kept.importRun(await this.codecs.encodeImport(request));
  }

  async sendMail(requests: readonly MailRequest[]) {
    return this.#kept.sendMail(await Promise.all(requests.map((request) => this.codecs.encodeMail(request))));
  }

  controlRun(request: ControlRequest) {
    return this.#kept.controlRun(request);
  }

  moveRun(request: MoveRequest) {
    return this.#kept.moveRun(request);
  }

  readVersions(workflows: readonly string[]) {
    return this.#kept.readVersions(workflows);
  }

  setVersionPolicy(workflow: string, policy: VersionPolicy | null, actor?: string) {
    return this.#kept.setVersionPolicy(workflow, policy, actor);
  }

  readPolicyChanges(workflow: string, limit: number) {
    return this.#kept.readPolicyChanges(workflow, limit);
  }

  /** What is shared is encoded anew for the fork, and encoded once, however often the fork is asked for. */
  async forkRun(request: ForkRequest): Promise<ForkOutcome> {
    const { sourceId, runId } = request;
    const missing = await this.#kept.missingRuns([sourceId, runId]);
    if (!missing.includes(runId)) return { outcome: "forked", runId };
    if (missing.includes(sourceId)) return { outcome: "notFound", runId: sourceId };
    const copy = this.#copies.get(request) ?? new ForkCopy(this.codecs, request);
    this.#copies.set(request, copy);
    return this.#kept.forkRun(await copy.take());
  }

  terminateRun(runId: string, reason: string, actor?: string) {
    return this.#kept.terminateRun(runId, reason, actor);
  }

  findRun(ref: RunRef) {
    return this.#kept.findRun(ref);
  }

  listRuns(request: ListRequest) {
    return this.#kept.listRuns(request);
  }

  countRuns(request: CountRequest) {
    return this.#kept.countRuns(request);
  }

  /** To be looked at: what can never be read comes as a payload that says why. Rejects with CODEC_FAILED. */
  async readHistory(runId: string, afterSeq: number, limit: number) {
    const page = await this.#kept.readHistory(runId, afterSeq, limit);
    return Promise.all(page.map((event) => this.#shown(runId, event)));
  }

  /** As in `readHistory`. */
  async readEventsOfType(runIds: readonly string[], type: number, limit?: number) {
    const found = await this.#kept.readEventsOfType(runIds, type, limit);
    const decoding = [...found].map(async ([runId, events]) => {
      return [runId, await Promise.all(events.map((event) => this.#shown(runId, event)))] as const;
    });
    return new Map(await Promise.all(decoding));
  }

  async readOutcomes(runIds: readonly string[]) {
    const outcomes = [...(await this.#kept.readOutcomes(runIds))];
    const decoding = outcomes.map(async ([runId, { status, event }]) => {
      return [runId, { status, event: await this.codecs.decodeEvent(runId, event) }] as const;
    });
    return new Map(await Promise.all(decoding));
  }

  /** Rejects with PAYLOAD_UNREADABLE, CODEC_FAILED for any of them: who waits for many decodes what each of them gets. */
  async readUpdates(looks: readonly UpdateLook[]) {
    const traces = await this.#kept.readUpdates(looks);
    return Promise.all(traces.map((trace) => this.codecs.decodeTrace(trace.runId, trace)));
  }

  /** As in `readHistory`. */
  async readStepEvents(runId: string, step: StepRef) {
    const events = await this.#kept.readStepEvents(runId, step);
    return Promise.all(events.map((event) => this.#shown(runId, event)));
  }

  missingRuns(runIds: readonly string[]) {
    return this.#kept.missingRuns(runIds);
  }

  listLocks(request: ListLocksRequest) {
    return this.#kept.listLocks(request);
  }

  async askQuery(request: QueryRequest) {
    await this.#kept.askQuery({ ...request, input: await this.codecs.encode(request.input, queryPlace(request)) });
  }

  async takeAnswer(queryId: string) {
    const answer = await this.#kept.takeAnswer(queryId);
    if (answer === null || !answer.ok) return answer;
    return { ok: true, payload: await this.codecs.decode(answer.payload, answerPlace(queryId)) } as const;
  }

  checkReady() {
    return this.#kept.checkReady();
  }

  close() {
    return this.#kept.close();
  }

  /** A run whose events cannot be read now brings none: its history is loaded, and read by itself. */
  #withHistories(claimed: readonly ClaimedRun[]): Promise<ClaimedRun[]> {
    return Promise.all(
      claimed.map(async (run) => {
        if (run.history === null) return run;
        const decoding = Promise.all(run.history.map((event) => this.codecs.decodeEvent(run.runId, event)));
        return { ...run, history: await decoding.catch(() => null) };
      }),
    );
  }

  async #shown(runId: string, event: StoredEvent): Promise<StoredEvent> {
    try {
      return await this.codecs.decodeEvent(runId, event);
    } catch (error) {
      if (isTransient(error)) throw error;
      return { ...event, payload: unreadablePayload(messageOf(error)) };
    }
  }

  /** What can never be read comes as a payload that says so: it blocks the run it was sent to, and is never moved. */
  async #readable(item: MailItem): Promise<MailItem> {
    try {
      return await this.codecs.decodeMail(item);
    } catch (error) {
      if (isTransient(error)) throw error;
      return { ...item, payload: unreadablePayload(messageOf(error)) };
    }
  }

  /** How each ended, as far as it did soon. Undefined: not yet. */
  async #within<T>(work: readonly Promise<T>[]): Promise<(PromiseSettledResult<T> | undefined)[]> {
    const settled: (PromiseSettledResult<T> | undefined)[] = work.map(() => undefined);
    const all = Promise.allSettled(
      work.map(async (each, index) => {
        const [result] = await Promise.allSettled([each]);
        settled[index] = result;
      }),
    );
    let cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.setTimer(PATIENCE_MS, resolve);
    });
    await Promise.race([all, late]);
    cancel();
    return [...settled];
  }
}

/** Worth another try: a codec that is down, or the store. */
function isTransient(error: unknown): boolean {
  return !isEverstepError(error) || error.retryable;
}

/** The store has not taken the turn, and never will. */
function rejected(error: unknown): EverstepError {
  return new EverstepError("STORE_REJECTED", messageOf(error), { cause: error });
}

function reasonOf(settled: PromiseSettledResult<unknown> | undefined): Error {
  if (settled?.status === "rejected" && settled.reason instanceof Error) return settled.reason;
  const message = `A codec did not answer within ${PATIENCE_MS} ms. It is asked again; see what it depends on.`;
  return new EverstepError("CODEC_FAILED", message);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
