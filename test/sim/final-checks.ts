// What must be true when everything is over: whatever a client was told is in the histories, and what is in the
// histories happened.

import { updateMailId } from "../../runtime/store/mail-id.ts";
import type { RunDetail } from "../../runtime/store/runs.ts";
import type { Store } from "../../runtime/store/store.ts";
import { type HistoryEvent, isClosing } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { RESERVED_PREFIX } from "../../sdk/protocol/pending-work.ts";
import type { Acknowledged, SentSignal } from "./clients.ts";
import type { Effects } from "./effects.ts";
import type { EntityCallers } from "./entity-callers.ts";
import { checkEntities } from "./entity-checks.ts";
import { checkFamilies, lastOf } from "./family-checks.ts";
import { type KeptRun, readKept } from "./kept-run.ts";
import { LEDGER, ledgerOf } from "./ledger.ts";
import type { Probes } from "./probes.ts";
import type { Program } from "./program.ts";
import { ReplayCheck, type Replays } from "./replay-check.ts";
import { checkReports } from "./report-checks.ts";
import type { Scheduler } from "./scheduler.ts";
import type { ToldReport } from "./step-reporters.ts";
import type { Witness } from "./witness.ts";
import { NO_WORLD, type Trace, traceQuery, workflowOf } from "./workflow-of.ts";

export interface FinalOptions {
  readonly truth: Store;
  readonly witness: Witness;
  readonly effects: Effects;
  readonly acknowledged: Acknowledged;
  readonly reports: readonly ToldReport[];
  /** Where there are entities. */
  readonly entities: EntityCallers | undefined;
  readonly programs: readonly Program[];
  readonly scheduler: Scheduler;
  readonly probes: Probes;
  readonly isCalm: boolean;
  readonly violation: (kind: string, what: string) => void;
}

export interface Ended {
  readonly runId: string;
  readonly detail: RunDetail;
  readonly events: readonly HistoryEvent[];
  /** Ids of everything that was put into the mailbox, in order. */
  readonly mail: readonly string[];
  /** Updates that were taken out of the mailbox without an event. */
  readonly refused: number;
  readonly replays: Replays;
}

export async function checkEnd(options: FinalOptions): Promise<void> {
  const { witness, acknowledged, violation, truth } = options;
  const replays = new ReplayCheck(options.scheduler);
  const read = [...witness.runs.keys()].map((runId) => readRun(options, replays, runId));
  const ended = new Map((await Promise.all(read)).map((run) => [run.runId, run]));
  for (const { runId, workflowId } of acknowledged.starts) {
    const run = ended.get(runId);
    if (run === undefined) violation("lost start", `run ${runId} was acknowledged and is not there`);
    else if (run.detail.workflowId !== workflowId)
      violation("lost start", `run ${runId} is of ${run.detail.workflowId}`);
  }
  for (const run of ended.values()) checkRun(options, run);
  checkFamilies(options, ended);
  checkSignals(options, ended);
  checkRequests(options, ended);
  checkReports(options, ended);
  if (options.entities !== undefined) {
    const isBlocked = [...ended.values()].some(({ detail }) => detail.status === "blocked");
    checkEntities({ violation, isBlocked }, options.entities, ended);
  }
  await checkUpdates(options, ended);
  for (const { runId, closed } of acknowledged.results) {
    const ending = lastOf(ended, runId);
    const last = ending?.events.at(-1);
    const result = last?.type === "RunCompleted" ? last.result : null;
    if (closed.status !== ending?.detail.status || closed.result !== result) {
      violation("result", `run ${runId}: told ${closed.status} ${closed.result}, recorded is ${last?.type} ${result}`);
    }
  }
  for (const { runId, payload, events } of acknowledged.answers) {
    const traces = ended.get(runId)?.replays.traces.slice(0, events + 1) ?? [];
    if (!traces.includes(payload)) violation("query", `run ${runId}: no prefix of ${events} events answers ${payload}`);
  }
  const locks = await truth.listLocks({ key: null, limit: Number.MAX_SAFE_INTEGER });
  const kept = locks.map(({ runId, command }) => `${runId}/${command}`).sort();
  if (kept.join() !== witness.locks.open.join()) {
    violation("lock", `the store keeps ${kept.join()}, the histories leave ${witness.locks.open.join()}`);
  }
  const owners = await truth.ownerIds();
  if (owners.length > 0) violation("left behind", `runs are owned by ${owners.join(", ")} after all workers stopped`);
}

async function readRun(
  { truth, programs, violation, witness }: FinalOptions,
  replays: ReplayCheck,
  runId: string,
): Promise<Ended> {
  const kept = witness.deleted.get(runId) ?? ((await readKept(truth, runId)) as KeptRun);
  const { detail, mail, refused } = kept;
  const events = kept.stored.map(fromRecord).filter((event): event is HistoryEvent => event !== undefined);
  const program = programs.find(({ name }) => name === detail.workflow);
  const code =
    program === undefined
      ? { workflow: ledgerOf(NO_WORLD).workflow, query: "entries" }
      : { workflow: workflowOf(program, NO_WORLD, { version: detail.version }), query: traceQuery.name };
  const run = { runId, ...code, facts: detail, events };
  return {
    runId,
    detail,
    events,
    mail,
    refused: refused.size,
    replays: await replays.check(run, (what) => violation("replay", `run ${runId}: ${what}`)),
  };
}

function checkRun(
  { effects, probes, isCalm, violation, witness }: FinalOptions,
  { runId, detail, events }: Ended,
): void {
  const ends = events.filter(isClosing);
  const last = events.at(-1);
  const complain = (what: string) => violation("run", `run ${runId}: ${what}`);
  const expected = {
    RunCompleted: "completed",
    RunFailed: "failed",
    RunCanceled: "canceled",
    RunTerminated: "terminated",
    RunTimedOut: "timedOut",
    RunContinued: "continuedAsNew",
  };
  const open = witness.isHeldUp(runId) ? "running" : "blocked";
  const status = last !== undefined && isClosing(last) ? expected[last.type] : open;
  probes.hit(`run: ${detail.status}`);
  const version = witness.runs.get(runId)?.version ?? null;
  if (detail.version !== version) complain(`it is of version ${detail.version}, and was given to ${version}`);
  if (version !== null && last?.type === "RunCompleted") {
    const { version: by } = JSON.parse(last.result ?? "{}") as { readonly version?: string };
    if (by !== version) complain(`the code of version ${by} has ended it, when it was of ${version}`);
  }
  if (ends.length > 1) complain(`it ended ${ends.length} times`);
  if (detail.status !== status) complain(`it is ${detail.status}, its history says ${status}`);
  for (const event of events) {
    if (event.type !== "StepCompleted" && event.type !== "StepAttemptFailed") continue;
    // What a fork shares was done by its source.
    if (event.seq <= (detail.forkedFrom?.event ?? 0)) continue;
    // Steps of the runtime's own tell nobody.
    if (event.name.startsWith(RESERVED_PREFIX)) continue;
    const key = `${runId}/${event.command}`;
    const times = effects.executions.get(`${key}/${event.attempt}`) ?? 0;
    if (times === 0) complain(`attempt ${event.attempt} of ${event.name} is recorded and was never executed`);
    if (isCalm && times !== 1) complain(`attempt ${event.attempt} of ${event.name} was executed ${times} times`);
  }
  for (const [key, rows] of effects.rows) {
    if (!key.startsWith(`${runId}/`)) continue;
    const command = Number(key.slice(runId.length + 1));
    const completed = events.find((event) => event.type === "StepCompleted" && event.command === command);
    const result = completed?.type === "StepCompleted" ? JSON.parse(completed.result ?? "null") : undefined;
    if (rows.length !== 1 || rows[0] !== result)
      complain(`transaction ${key} left ${rows.join()}, recorded is ${result}`);
  }
}

function checkSignals({ acknowledged, violation }: FinalOptions, ended: ReadonlyMap<string, Ended>): void {
  for (const { runId, mail, refused, events, detail, replays } of ended.values()) {
    const received = events.flatMap((event) => (event.type === "SignalReceived" ? [event.signalId] : []));
    const complain = (what: string) => violation("signals", `run ${runId}: ${what}`);
    // Everything but what came too late for a run that was closed from outside.
    const told = new Set(events.flatMap((event) => ("mail" in event ? [event.mail] : []))).size;
    const taken = told + refused + (hasLostReport(events, ended) ? 1 : 0);
    const mayLeave = [...UNFINISHED, "continuedAsNew"].includes(detail.status);
    // A run that goes on as another passes on what it has taken and not used.
    const last = events.at(-1);
    let atMost = mail.length;
    for (let end = last; end?.type === "RunContinued"; ) {
      const next = ended.get(end.nextRunId);
      atMost += next?.mail.length ?? 0;
      end = next?.events.at(-1);
    }
    if (taken > atMost || (taken < mail.length && !mayLeave)) complain(`${taken} of ${mail.length} were taken`);
    const trace = detail.workflow === LEDGER ? null : replays.traces.at(-1);
    if (trace == null || trace.startsWith("not answered")) continue;
    const seen = (JSON.parse(trace) as Trace).signals;
    const unread = last !== undefined && "unread" in last ? last.unread.map(({ signalId }) => signalId) : null;
    if (new Set(seen).size !== seen.length) complain(`the code was given one twice: ${seen.join()}`);
    if (seen.some((id) => !received.includes(id))) complain(`the code was given one that was never received`);
    const all = [...seen, ...(unread ?? [])].sort().join();
    if (unread !== null && all !== [...received].sort().join())
      complain(`received ${received.join()}, accounted ${all}`);
  }
  const placed: { readonly sent: SentSignal; readonly place: number }[] = [];
  for (const sent of acknowledged.signals) {
    const { runId, signalId, outcome } = sent;
    const places = ended.get(runId)?.mail.flatMap((id, index) => (id === signalId ? [index] : [])) ?? [];
    if (places.length !== (outcome === "closed" ? 0 : 1)) {
      violation("signals", `${outcome} signal ${signalId} is ${places.length} times in the mailbox of run ${runId}`);
    }
    const [place] = places;
    if (place !== undefined) placed.push({ sent, place });
  }
  // What was sent more than once is ordered by its first time, whichever that was.
  const isOnce = ({ sent }: (typeof placed)[0]) =>
    placed.every((other) => other.sent === sent || other.sent.signalId !== sent.signalId);
  const ordered = placed.filter(isOnce);
  for (const a of ordered) {
    for (const b of ordered) {
      if (a.sent.runId !== b.sent.runId || a.sent.answeredAt >= b.sent.sentAt || a.place < b.place) continue;
      violation("signals", `${b.sent.signalId} was sent after ${a.sent.signalId} and came before it`);
    }
  }
}

/** A fork was made with another result in the place of what a report had said. */
function hasLostReport(events: readonly HistoryEvent[], ended: ReadonlyMap<string, Ended>): boolean {
  const forked = events.findLast(({ type }) => type === "RunForked");
  if (forked?.type !== "RunForked" || !forked.isEdited) return false;
  const edited = ended.get(forked.source)?.events[forked.event - 1];
  return edited !== undefined && "mail" in edited && edited.mail !== undefined;
}

/** What was acknowledged has an event, once, unless the run was closed before it came to it. */
function checkRequests({ acknowledged, violation }: FinalOptions, ended: ReadonlyMap<string, Ended>): void {
  for (const { runId, requestId } of acknowledged.requests) {
    const { events = [], detail } = ended.get(runId) ?? {};
    const mails = events.flatMap((event) =>
      "requestId" in event && event.requestId === requestId ? [event.mail] : [],
    );
    const mayLack = UNFINISHED.includes(detail?.status ?? "");
    if (new Set(mails).size > 1 || (mails.length === 0 && !mayLack)) {
      violation(
        "repair",
        `request ${requestId} to run ${runId} was acknowledged, and taken as mail ${mails.join() || "none"}`,
      );
    }
  }
}

/** Every sender was told what the history, the mailbox and the end of the run say, and nothing else. */
async function checkUpdates(
  { acknowledged, truth, violation, witness }: FinalOptions,
  ended: ReadonlyMap<string, Ended>,
): Promise<void> {
  for (const { runId, updateId, answer } of acknowledged.updates) {
    const events = ended.get(runId)?.events ?? [];
    const isAccepted = events.some((event) => event.type === "UpdateAccepted" && event.updateId === updateId);
    const completed = events.find((event) => event.type === "UpdateCompleted" && event.updateId === updateId);
    const mailId = updateMailId(updateId);
    const deleted = witness.deleted.get(runId);
    const [trace] = deleted === undefined ? await truth.readUpdates([{ runId, mailId, after: 0 }]) : [];
    const refusal = deleted === undefined ? trace?.refusal : deleted.refused.get(mailId);
    const told = JSON.stringify(answer);
    const complain = (what: string) =>
      violation("updates", `update ${updateId} of run ${runId}: told ${told}, ${what}`);
    if (completed?.type === "UpdateCompleted") {
      const recorded = completed.failure === null ? { result: completed.result } : { code: "UPDATE_FAILED" };
      if (told !== JSON.stringify(recorded)) complain(`recorded is ${JSON.stringify(recorded)}`);
    } else if (isAccepted) {
      if (told !== '{"code":"UPDATE_ABANDONED"}') complain("it was accepted and never ended");
    } else {
      const expected = refusal?.code ?? "RUN_CLOSED";
      if (told !== JSON.stringify({ code: expected })) complain(`it was not accepted: ${expected}`);
    }
    if (isAccepted && refusal != null) complain("it was accepted and refused");
  }
}

/** What ends without its own last word, or stands still at the end of all: the running are those who are held up for good. */
const UNFINISHED: readonly string[] = ["terminated", "timedOut", "blocked", "running"];
