// Does operations to one store and writes down what it is told, in words that do not depend on the store's clock.
// Whatever it needs to know it has from the store's own answers, as a worker does.

import { isDeepStrictEqual } from "node:util";
import type { ClaimedRun, ClaimRequest, ParkRequest } from "../../../runtime/store/claims.ts";
import { lanesOf } from "../../../runtime/store/lanes.ts";
import type { MailItem, UpdateLook } from "../../../runtime/store/mail.ts";
import type { RunRef } from "../../../runtime/store/run-ref.ts";
import type { Store } from "../../../runtime/store/store.ts";
import type { AppendTurn } from "../../../runtime/store/turns.ts";
import { type AttributeFilters, attributeConditions } from "../../../sdk/protocol/attribute-filter.ts";
import {
  decodeAttributes,
  encodeAttributes,
  mergeKeys,
  type StoredAttribute,
} from "../../../sdk/protocol/attributes.ts";
import { EVENT_CODES, type Event, isClosing } from "../../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent, toRecord } from "../../../sdk/protocol/event-record.ts";
import { decodeMemoChanges, encodeMemo } from "../../../sdk/protocol/memo.ts";
import { continuingTurn } from "./continuing.ts";
import type { Operation } from "./operations.ts";
import { closingTurn, mailRequest, only, signalReceived, startRequest, stepCompleted, turnOf } from "./stage.ts";

/** Ids that both actors of a comparison use, made before either begins. */
export interface Names {
  readonly prefix: string;
  readonly runIds: readonly string[];
  readonly uuids: readonly string[];
}

/** A timer is due when the run is. */
interface Parking {
  readonly wakeAt: "past" | "later" | null;
  readonly timer: ParkRequest["timer"];
}

const HOUR_MS = 3_600_000;
const WORKERS = [0, 1, 2];

interface Known {
  readonly runId: string;
  readonly claims: ClaimedRun[];
  readonly sent: AppendTurn[];
  readonly committed: AppendTurn[];
  events: number;
  takenMail: number;
}

export class Actor {
  readonly store: Store;
  runs: Known[] = [];
  readonly #names: Names;
  /** Those ever claimed, the one claimed last at the end. */
  #claimed: Known[] = [];
  readonly #asked: string[] = [];
  #done = 0;

  constructor(store: Store, names: Names) {
    this.store = store;
    this.#names = names;
  }

  async do(operation: Operation): Promise<unknown> {
    this.#done += 1;
    if (operation.do === "start") return this.#start(operation);
    if (operation.do === "claim") return this.#claim(operation);
    if (operation.do === "crash") return this.#crash(operation.worker);
    if (operation.do === "claimBlocked") return this.#claimBlocked(operation.worker);
    if (operation.do === "rescue") return this.#rescue(operation.worker);
    if (operation.do === "answer") return this.#answer(operation.worker);
    if (operation.do === "mail" && "workflow" in operation.to) {
      return this.#mail({ workflowId: this.#name("order", operation.to.workflow) }, operation);
    }
    const number = operation.do === "mail" ? ("run" in operation.to ? operation.to.run : 0) : operation.run;
    const isOnClaim = "claimsAgo" in operation || operation.do === "resend";
    const runs = isOnClaim ? this.#claimed : this.runs;
    const known = runs.at(-1 - (number % Math.max(1, runs.length)));
    if (known === undefined) return "no such run yet";
    const { runId } = known;
    if (operation.do === "mail") return this.#mail({ runId }, operation);
    if (operation.do === "move") {
      return this.store.moveRun({ runId, mailId: `move-${this.#done}`, version: operation.version });
    }
    if (operation.do === "control") {
      return this.store.controlRun({ runId, kind: operation.kind, mailId: `control-${this.#done}`, reason: "later" });
    }
    if (operation.do === "terminate") return this.store.terminateRun(runId, "enough");
    if (operation.do === "delete") return this.#delete(known);
    if (operation.do === "ask") return this.#ask(runId);
    if (operation.do === "resend") return this.#resend(known);
    const claim = known.claims.at(-1 - operation.claimsAgo);
    if (claim === undefined) return "no such claim yet";
    switch (operation.do) {
      case "append":
        return this.#append(known, claim, operation);
      case "continue":
        return this.#continue(known, claim, operation.passesOn);
      case "appendInTransaction":
        return this.#appendInTransaction(known, claim, operation);
      case "park":
        return this.#park(known, claim, operation);
      case "release":
        return this.store.releaseRuns([claim]);
      case "block":
        return this.store.blockRuns([{ claim, reason: { kind: "divergence", message: `number ${this.#done}` } }]);
      case "beat": {
        const beat = { claim, command: operation.command, attempt: 1, details: `${this.#done}`, isProgress: true };
        return [...(await this.store.saveHeartbeats([beat]))];
      }
    }
  }

  /** Everything the store tells about all it was given. */
  async look(): Promise<unknown> {
    const runIds = this.runs.map(({ runId }) => runId);
    const histories = await this.store.loadHistories(runIds);
    const outcomes = await this.store.readOutcomes(runIds);
    const mail = await this.store.readMail(await this.#unreadBoxes(), 100);
    const lists = [0, 1].map((queue) => this.store.listRuns({ queue: this.#queue(queue), limit: 200 }));
    return {
      details: await Promise.all(runIds.map((runId) => this.#detail({ runId }))),
      latest: await Promise.all([0, 1, 2, 3].map((n) => this.#detail({ workflowId: this.#name("order", n) }))),
      histories: histories.map(({ events, ...rest }) => ({ ...rest, events: events.map(timeless) })).sort(byRunId),
      outcomes: [...outcomes]
        .map(([runId, { status, event }]) => ({ runId, status, event: timeless(event) }))
        .sort(byRunId),
      mail: [...mail].sort((a, b) => byRunId(a, b) || a.mail - b.mail),
      updates: (await this.store.readUpdates(runIds.flatMap(updateLooks))).map(({ events, ...rest }) => ({
        ...rest,
        events: events.map(timeless),
      })),
      found: await this.#find(),
      lists: (await Promise.all(lists)).map((runs) => runs.map(({ runId, status }) => [runId, status])),
      claims: await Promise.all(
        WORKERS.map(async (n) =>
          (await this.store.claimsOf(this.#worker(n))).map(({ runId, claimId }) => ({ runId, claimId })).sort(byRunId),
        ),
      ),
      withMail: await Promise.all(
        WORKERS.map(async (n) => [...(await this.store.runsWithMail(this.#worker(n)))].sort()),
      ),
      owners: (await this.store.ownerIds()).filter((id) => WORKERS.map((n) => this.#worker(n)).includes(id)).sort(),
      blocked: [
        ...(await this.store.findBlocked({
          workflows: this.#workflows(),
          queues: this.#lanes(0),
          after: null,
          limit: 100,
        })),
      ].sort(byRunId),
    };
  }

  /** What lists and counts tell by attributes. */
  async #find(): Promise<unknown> {
    const queue = this.#queue(0);
    const found: unknown[] = [];
    for (const filters of FILTERS) {
      const request = { queue, attributes: attributeConditions(filters) };
      const runs = await this.store.listRuns({ ...request, limit: 100 });
      const counts = await this.store.countRuns({ ...request, by: { attribute: "one" }, limit: 100 });
      found.push(
        runs.map(({ runId }) => runId),
        counts,
      );
    }
    for (const isDescending of [true, false]) {
      const byAttribute = { name: "one", isDescending, after: null };
      const runs = await this.store.listRuns({ queue, limit: 100, byAttribute });
      found.push(runs.map(({ runId, data }) => [runId, data]));
    }
    for (const by of ["status", "workflow", "version", "queue", null] as const) {
      found.push(await this.store.countRuns({ workflow: this.#workflows()[0] ?? "", by, limit: 100 }));
    }
    return found;
  }

  async #start(operation: Extract<Operation, { do: "start" }>): Promise<unknown> {
    const { workflow, onConflict, onReuse, requestId, isDelayed, signal, changes } = operation;
    const { workflow: name, ...data } = { workflow: this.#workflows()[workflow % 2] ?? "", ...storedChanges(changes) };
    const request = startRequest({
      runId: this.#names.runIds[this.#done] ?? "",
      workflowId: this.#name("order", workflow),
      workflow: name,
      started: toRecord({ type: "RunStarted", workflow: name, input: null, seed: "seed", ...data }),
      carriesData: changes !== null,
      queue: this.#queue(workflow % 2),
      requestId: requestId === null ? null : this.#name("request", requestId),
      onConflict,
      onReuse,
      delayMs: isDelayed ? HOUR_MS : 0,
      mail: signal === null ? null : { kind: "signal", mailId: `mail-${signal}`, name: "approve", payload: null },
    });
    const outcome = only(await this.store.startRuns([request]));
    if (outcome.runId === request.runId) {
      this.runs.push({ runId: request.runId, claims: [], sent: [], committed: [], events: 1, takenMail: 0 });
    }
    return outcome;
  }

  async #delete(known: Known): Promise<unknown> {
    const deleted = await this.store.deleteRuns([known.runId]);
    if (deleted.length > 0) {
      this.runs = this.runs.filter((other) => other !== known);
      this.#claimed = this.#claimed.filter((other) => other !== known);
    }
    return deleted;
  }

  async #crash(worker: number): Promise<unknown> {
    const sound = await this.#claim({ worker, suspects: "exclude" });
    const suspect = await this.#claim({ worker, suspects: "only" });
    return { sound, suspect, rescued: await this.#rescue(worker) };
  }

  async #claim({ worker, suspects }: Pick<ClaimRequest & { worker: number }, "worker" | "suspects">): Promise<unknown> {
    const queues = this.#lanes(worker);
    const claimId = this.#uuid();
    const request = { workerId: this.#worker(worker), claimId, queues, limit: 100, suspects };
    const { claimed, quarantined, nextDueInMs } = await this.store.claimRuns(request);
    const nextDue = nextDueInMs === null ? "never" : nextDueInMs === 0 ? "now" : "later";
    return { claimed: this.#noteClaims(claimed), quarantined: [...quarantined].sort(), nextDue };
  }

  async #claimBlocked(worker: number): Promise<unknown> {
    const runIds = this.runs.map(({ runId }) => runId);
    const workerId = this.#worker(worker);
    return this.#noteClaims(await this.store.claimBlocked(workerId, this.#uuid(), runIds));
  }

  #noteClaims(claimed: readonly ClaimedRun[]): unknown {
    for (const claim of [...claimed].sort(byRunId)) {
      const known = only(this.runs.filter(({ runId }) => runId === claim.runId));
      const last = known.claims.at(-1);
      if (last !== undefined && last.epoch >= claim.epoch) throw new Error(`The epoch of ${claim.runId} did not rise.`);
      known.claims.push(claim);
      this.#claimed = [...this.#claimed.filter((other) => other !== known), known];
      known.events = claim.events;
      known.takenMail = claim.takenMail;
    }
    const timeless = claimed.map(({ epoch: _, startedAt: __, history, ...rest }) => {
      return { ...rest, history: history?.map((event) => ({ ...event, at: 0 })) ?? null };
    });
    return timeless.sort(byRunId);
  }

  async #append(known: Known, claim: ClaimedRun, operation: Extract<Operation, { do: "append" }>): Promise<unknown> {
    const { drift, steps, takesMail, close, notBefore, upserts } = operation;
    const unread = await this.store.readMail([{ runId: known.runId, after: known.takenMail }], 100);
    const taken = takesMail ? unread : [];
    const base = known.events + drift;
    const events: Event[] = Array.from({ length: steps }, (_, step) => stepCompleted(base + step, `"${this.#done}"`));
    const refusals = taken.filter(isRefused).map(({ mail }) => ({ mail, refusal }));
    events.push(...taken.filter((item) => !isRefused(item)).map(eventOf), ...upsertEvents(base, upserts));
    const part = {
      tag: this.#uuid(),
      base,
      refusals,
      takenMail: known.takenMail + taken.length,
      notBefore: await this.#moment(known.runId, notBefore),
      close,
    };
    const steady = turnOf(claim, part, ...events);
    const turn =
      close === null ? steady : { ...steady, events: [...steady.events, ...closingTurn(claim, close).events] };
    known.sent.push(turn);
    const { committed } = await this.store.appendTurns([turn]);
    return { isCommitted: this.#note(known, turn, committed.has(known.runId)), resolved: await this.#resolve(turn) };
  }

  /** Takes no mail; passes on the one taken last, if asked to. */
  async #continue(known: Known, claim: ClaimedRun, passesOn: boolean): Promise<unknown> {
    const { events: base, takenMail } = known;
    const runId = this.#names.runIds[this.#done] ?? "";
    const passedOn = passesOn && takenMail > 0 ? [takenMail] : [];
    const turn = continuingTurn(claim, { runId, passedOn }, { tag: this.#uuid(), base, takenMail });
    known.sent.push(turn);
    const isCommitted = (await this.store.appendWithEffects([turn])).committed.has(known.runId);
    if (this.#note(known, turn, isCommitted)) {
      this.runs.push({ runId, claims: [], sent: [], committed: [], events: 1, takenMail: 0 });
    }
    return { isCommitted, resolved: await this.#resolve(turn) };
  }

  async #appendInTransaction(
    known: Known,
    claim: ClaimedRun,
    { throws, upserts }: Extract<Operation, { do: "appendInTransaction" }>,
  ): Promise<unknown> {
    const { events: base, takenMail } = known;
    const events = [stepCompleted(base), ...upsertEvents(base, upserts)];
    const turn = turnOf(claim, { tag: this.#uuid(), base, takenMail }, ...events);
    const thrown = new Error("thrown by the work");
    const work = async () => {
      if (throws) throw thrown;
      return turn;
    };
    const answer = await this.store.appendInTransaction(work).catch((error: unknown) => {
      if (error !== thrown) throw error;
      return { committed: false };
    });
    return { isCommitted: this.#note(known, turn, answer.committed), resolved: await this.#resolve(turn) };
  }

  async #resend(known: Known): Promise<unknown> {
    const turn = known.sent.at(-1);
    if (turn === undefined) return "nothing sent yet";
    const { committed } = await (turn.effects === null
      ? this.store.appendTurns([turn])
      : this.store.appendWithEffects([turn]));
    return { isCommitted: this.#note(known, turn, committed.has(known.runId)), resolved: await this.#resolve(turn) };
  }

  #note(known: Known, turn: AppendTurn, isCommitted: boolean): boolean {
    if (!isCommitted) return false;
    known.committed.push(turn);
    known.events = turn.base + turn.events.length;
    known.takenMail = turn.takenMail;
    return true;
  }

  async #resolve(turn: AppendTurn): Promise<unknown> {
    const { at, now: _, ...rest } = only(await this.store.resolveTurns([turn]));
    return { ...rest, hasTime: at !== null };
  }

  async #mail(to: RunRef, { mailId, kind }: Extract<Operation, { do: "mail" }>): Promise<unknown> {
    const payload = kind === "cancel" ? null : `${this.#done}`;
    const request = mailRequest({ to, kind, mailId: `mail-${mailId}`, payload });
    return only(await this.store.sendMail([request]));
  }

  async #park(known: Known, claim: ClaimedRun, { wakeAt, timer }: Parking): Promise<unknown> {
    const { runId, events, takenMail } = known;
    const at = await this.#moment(runId, wakeAt);
    return [...(await this.store.parkRuns([{ claim, events, takenMail, wakeAt: at, timer }]))];
  }

  async #rescue(worker: number): Promise<unknown> {
    const { count, queues } = await this.store.rescueRuns(this.#worker(worker), 100);
    return { count, queues: [...queues].sort() };
  }

  async #ask(runId: string): Promise<unknown> {
    const queryId = this.#uuid();
    const run = await this.store.findRun({ runId });
    this.#asked.push(queryId);
    return this.store.askQuery({ queryId, runId, queue: run?.queue ?? "", name: "status", input: null });
  }

  async #answer(worker: number): Promise<unknown> {
    const taken = await this.store.takeQueries(this.#worker(worker), this.#lanes(worker), 100);
    await this.store.answerQueries(
      taken.map(({ queryId }) => ({ queryId, answer: { ok: true, payload: `"${worker}"` } as const })),
    );
    const answers: unknown[] = [];
    for (const queryId of this.#asked) answers.push(await this.store.takeAnswer(queryId));
    return { taken: [...taken].sort((a, b) => (a.queryId < b.queryId ? -1 : 1)), answers };
  }

  async #detail(ref: RunRef): Promise<unknown> {
    const run = await this.store.findRun(ref);
    if (run === null) return null;
    const { epoch, now, startedAt: _, closedAt, wakeAt, unreadMail, ...rest } = run;
    const isOpen = closedAt === null;
    return {
      ...rest,
      paused: rest.paused?.reason,
      isOpen,
      hasEpoch: epoch !== null,
      wake: wakeAt === null ? "never" : wakeAt <= now ? "now" : "later",
      ...(isOpen ? { unreadMail } : {}),
    };
  }

  async #unreadBoxes(): Promise<{ runId: string; after: number }[]> {
    const open: { runId: string; after: number }[] = [];
    for (const { runId, takenMail } of this.runs) {
      if ((await this.store.findRun({ runId }))?.closedAt === null) open.push({ runId, after: takenMail });
    }
    return open;
  }

  async #moment(runId: string, moment: "past" | "later" | null): Promise<number | null> {
    const now = (await this.store.findRun({ runId }))?.now ?? 0;
    return moment === null ? null : moment === "past" ? now - HOUR_MS : now + HOUR_MS;
  }

  #name(kind: string, number: number): string {
    return `${this.#names.prefix}-${kind}-${number}`;
  }

  #queue(number: number): string {
    return this.#name("queue", number);
  }

  /** The first worker has every version; nobody else has 2.0.0. */
  #lanes(worker: number): string[] {
    const versions = worker === 0 ? [null, "1.0.0", "2.0.0"] : [null, "1.0.0"];
    const code = this.#workflows().flatMap((workflow) => versions.map((version) => ({ workflow, version })));
    return lanesOf([this.#queue(0), this.#queue(1)], code);
  }

  #workflows(): string[] {
    return [this.#name("workflow", 0), this.#name("workflow", 1)];
  }

  #worker(number: number): string {
    return this.#names.uuids[number] ?? "";
  }

  /** One per operation, after those that name the workers. */
  #uuid(): string {
    return this.#names.uuids[WORKERS.length + this.#done] ?? "";
  }
}

const refusal = { code: "UPDATE_REJECTED", message: "out of stock", failure: null } as const;

/** Every other update is refused; nothing else ever is. */
function isRefused({ kind, mail }: MailItem): boolean {
  return kind === "update" && mail % 2 === 0;
}

function eventOf({ kind, mail, mailId, name, payload }: MailItem): Event {
  if (kind === "update") return { type: "UpdateAccepted", name, updateId: mailId, mail, input: payload };
  return signalReceived(mail, mailId);
}

function updateLooks(runId: string): UpdateLook[] {
  return [0, 1, 2, 3, 4, 5].map((mailId) => ({ runId, mailId: `mail-${mailId}`, after: mailId % 3 }));
}

const FILTERS: readonly AttributeFilters[] = [
  { one: "a" },
  { one: 1 },
  { one: true },
  { one: null },
  { one: { not: null } },
  { one: { not: "a" }, two: { not: 1 } },
  { one: { gte: 0 } },
  { one: { gt: "a" } },
  { one: { gt: "a", lt: "b" } },
  { one: { oneOf: ["b", "a"] } },
  { one: { oneOf: [] } },
  { one: { startsWith: "a" } },
  { one: { contains: "b" } },
  { one: { lte: new Date(1_750_000_000_000) } },
];

type Changes = NonNullable<Extract<Operation, { do: "append" }>["upserts"]>;

function storedChanges(changes: Changes | null): { readonly attributes: string | null; readonly memo: string | null } {
  if (changes === null) return { attributes: null, memo: null };
  return { attributes: encodeAttributes(changes.attributes, "changes"), memo: encodeMemo(changes.memo, "changes") };
}

function upsertEvents(command: number, changes: Changes | null): Event[] {
  const { attributes, memo } = storedChanges(changes);
  return [
    { type: "AttributesUpserted", command, name: "attributes", changes: attributes },
    { type: "MemoUpserted", command, name: "memo", changes: memo },
    // A second one of the same turn: what is asked last counts.
    { type: "AttributesUpserted", command, name: "attributes", changes: '{"two":["keyword","last"]}' },
  ].slice(0, changes === null ? 0 : memo === null ? 2 : 3) as Event[];
}

/** What must be true of any store at any time, whatever it was asked. */
export async function checkFacts({ store, runs }: Actor): Promise<void> {
  for (const { runId, claims, committed } of runs) {
    const history = only(await store.loadHistories([runId])).events;
    history.forEach(({ seq }, place) => {
      if (seq !== place + 1) throw new Error(`Run ${runId} has event ${seq} at place ${place + 1}.`);
    });
    for (const { base, events } of committed) {
      const kept = history.slice(base, base + events.length).map(({ seq: _, at: __, ...record }) => record);
      if (JSON.stringify(kept) !== JSON.stringify(events)) throw new Error(`Run ${runId} lost a turn at ${base}.`);
    }
    for (const { events } of claims.filter(({ hasFired }) => hasFired)) {
      if (history[events - 1]?.type !== EVENT_CODES.TimerFired)
        throw new Error(`Run ${runId} lost a timer at ${events}.`);
    }
    const fired = new Set(claims.filter(({ hasFired }) => hasFired).map(({ events }) => events)).size;
    const own = committed.reduce((sum, { events }) => sum + events.length, 1 + fired);
    const isEndedByStore = history.length === own + 1 && isLastClosing(history);
    if (history.length !== own && !isEndedByStore) throw new Error(`Run ${runId} has events that nobody wrote.`);
    const run = await store.findRun({ runId });
    const isOpen = run?.closedAt === null;
    checkData(runId, history, run?.data);
    if (isOpen === isLastClosing(history)) throw new Error(`Run ${runId} and its last event disagree about the end.`);
  }
}

/** Attributes and memo are what the history makes of them, read event by event. */
function checkData(runId: string, history: readonly StoredEvent[], data: unknown): void {
  let attributes: Record<string, StoredAttribute> = {};
  let memo: Record<string, string> = {};
  for (const event of history.map(fromRecord)) {
    const isStart = event?.type === "RunStarted";
    const attributeText = isStart ? event.attributes : event?.type === "AttributesUpserted" ? event.changes : null;
    const memoText = isStart ? event.memo : event?.type === "MemoUpserted" ? event.changes : null;
    attributes = mergeKeys(attributes, decodeAttributes(attributeText ?? null));
    memo = mergeKeys(memo, decodeMemoChanges(memoText ?? null));
  }
  if (!isDeepStrictEqual(data, { attributes, memo })) {
    throw new Error(`Run ${runId} is told to have other data than its history says: ${JSON.stringify(data)}.`);
  }
}

function isLastClosing(history: Awaited<ReturnType<Store["readHistory"]>>): boolean {
  const last = history.at(-1);
  const event = last === undefined ? undefined : fromRecord(last);
  return event !== undefined && isClosing(event);
}

/** RunTerminated's reason is the store's own words when one start took another's place. */
function timeless<T extends { readonly type: number; readonly at: number; readonly data: string | null }>(
  event: T,
): unknown {
  const { at: _, data, ...rest } = event;
  return { ...rest, data: event.type === 13 ? null : data };
}

function byRunId(a: { readonly runId: string }, b: { readonly runId: string }): number {
  return a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0;
}
