// Where a run may be forked, and what the fork begins with. Every beginning of a history replays to the same state, so any
// event will do but two kinds: the end of a run, and what stands between a patch's mark and the event that it names. And
// only the last shared event may be edited: nothing that is shared can hang on it.

import type { ForkCall } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { type HistoryEvent, isClosing } from "../../sdk/protocol/event.ts";
import { type EventRecord, fromRecord, type StoredEvent, toRecord } from "../../sdk/protocol/event-record.ts";
import { whyUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import { whyUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import { shorterOf } from "../../sdk/protocol/run-limits.ts";
import type { ForkRequest } from "../store/forks.ts";
import { changesIn, startedWith } from "../store/run-data.ts";
import type { RunDetail } from "../store/runs.ts";
import { lockedIn } from "./locked-in.ts";
import { endToRetry } from "./retried-work.ts";
import { sharedChildren } from "./shared-children.ts";

export interface NewFork {
  readonly runId: string;
  readonly seed: string;
}

/**
 * Throws ARGUMENT_INVALID where the run cannot be forked as it is asked for, and PAYLOAD_UNREADABLE where the fork could not
 * read what it would share.
 */
export function planFork(
  source: RunDetail,
  stored: readonly StoredEvent[],
  call: ForkCall,
  fork: NewFork,
): ForkRequest {
  const events = stored.map((record) => readable(source, record));
  const end = call.beforeStep === null ? null : endToRetry(source, events, call.beforeStep.name);
  const at = end === null ? (call.at ?? lastBeforeEnd(events)) : end.seq - 1;
  assertPlace(source, events, at);
  if (call.sharesUndone !== true) assertNotUndone(source, events, at);
  for (const event of events.slice(0, at)) assertReadable(source, stored[event.seq - 1] as StoredEvent, event);
  const edited = editOf(source, events[at - 1], call);
  const shared = [...stored.slice(0, at - 1), ...(edited === null ? stored.slice(at - 1, at) : [edited])];
  const [started, ...later] = shared as [EventRecord, ...EventRecord[]];
  const data = new Map(
    [...startedWith(started), ...changesIn(later)].map((change) => [`${change.kind} ${change.name}`, change]),
  );
  const { runId, seed } = fork;
  const retried = end?.command ?? null;
  const children = sharedChildren(events.slice(0, at), retried);
  // The source is a fork that was made at a later event: all that is shared happened to another run, and is that one's.
  const made = events.find((event) => event.type === "RunForked" && event.seq > at);
  const before = made?.type === "RunForked" ? made : undefined;
  const isBeside = children.length > 0 && (!call.replaces || before?.isBeside === true);
  const locks = lockedIn(events.slice(0, at));
  const regained = locks.filter(({ isRegained }) => isRegained).map(({ command }) => command);
  const version = call.version === undefined ? source.version : call.version;
  const by = call.actor === undefined ? {} : { actor: call.actor };
  return {
    sourceId: source.runId,
    runId,
    workflowId: call.workflowId ?? source.workflowId,
    version,
    at,
    edited,
    forked: toRecord({
      type: "RunForked",
      source: source.runId,
      event: at,
      seed,
      isEdited: edited !== null,
      retried,
      ...(before && { origin: before.origin ?? before.source }),
      ...(isBeside && { isBeside }),
      ...(version === null ? {} : { version }),
      ...by,
      ...(regained.length === 0 ? {} : { locks: regained }),
    }),
    takenMail: takenIn(events.slice(0, at)),
    keepsSignals: call.keepsSignals,
    data: [...data.values()].filter(({ rows }) => rows.length > 0),
    locks,
    timeoutMs: timeoutOf(source, events),
    terminates: call.replaces ? `Run ${runId} was forked from it, in its place.` : null,
    children,
    ...by,
  };
}

function readable(source: RunDetail, record: StoredEvent): HistoryEvent {
  const event = fromRecord(record);
  if (event !== undefined) return event;
  const message = `Event ${record.seq} of run ${source.workflowId} is of a type that this release does not know. Fork it with the release that wrote it.`;
  throw new EverstepError("PAYLOAD_UNREADABLE", message, { details: { runId: source.runId, seq: record.seq } });
}

/** Codecs may have bound it to its run: who cannot read it cannot encode it for the fork, and to copy it would be no use. */
function assertReadable({ runId, workflowId }: RunDetail, { seq, payload }: StoredEvent, event: HistoryEvent): void {
  const why = whyUnreadable(payload) ?? whyUnreadableEvent(event);
  if (why === undefined) return;
  const message = `Run ${workflowId} is not forked: its event ${seq} cannot be read. ${why}`;
  throw new EverstepError("PAYLOAD_UNREADABLE", message, { details: { runId, seq } });
}

function lastBeforeEnd(events: readonly HistoryEvent[]): number {
  const last = events.at(-1);
  return last === undefined ? 0 : isClosing(last) ? last.seq - 1 : last.seq;
}

function assertPlace(source: RunDetail, events: readonly HistoryEvent[], at: number): void {
  const { workflowId } = source;
  const last = events[at - 1];
  if (last === undefined || isClosing(last)) {
    throw invalid(
      source,
      `Run ${workflowId} can be forked at its events 1 to ${lastBeforeEnd(events)}; got ${at}.`,
      "at",
    );
  }
  const cut = events.find((event) => event.type === "PatchMarked" && event.since <= at && event.seq > at);
  if (cut?.type !== "PatchMarked") return;
  const instead = `at ${cut.seq}${cut.since > 1 ? `, or before ${cut.since}` : ""}`;
  throw invalid(
    source,
    `Run ${workflowId} cannot be forked at event ${at}: its code was told after event ${cut.since} to go the new way of patch "${cut.name}", which event ${cut.seq} tells. Fork it ${instead}.`,
    "at",
  );
}

/** A saga undoes what was done after it began: a fork that shares some of that would count on what is not there. */
function assertNotUndone(source: RunDetail, events: readonly HistoryEvent[], at: number): void {
  const undone = events.filter((event) => event.type === "CompensationBegun" && event.since < at && event.seq > at);
  const since = Math.min(...undone.flatMap((event) => (event.type === "CompensationBegun" ? event.since : [])));
  const [first] = undone;
  if (first === undefined) return;
  const { workflowId, runId } = source;
  const message = `Run ${workflowId} is not forked at event ${at}: since event ${first.seq} its saga undoes what was done after event ${since}, and the fork would count on it. Go back to before that, reset({ at: ${since} }), or say { undone: "share" }.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { runId, argument: "undone", at: since } });
}

function editOf(source: RunDetail, last: HistoryEvent | undefined, { input, result }: ForkCall): EventRecord | null {
  if (input === null && result === null) return null;
  if (input !== null && last?.type === "RunStarted") return toRecord({ ...last, input: input.payload });
  if (input !== null) {
    throw invalid(
      source,
      `Another input is for a fork at event 1: what is shared after it hangs on the input that it had.`,
      "input",
    );
  }
  if (result !== null && (last?.type === "StepCompleted" || last?.type === "StepFailed")) {
    const { command, name, attempt, inputHash, summary } = last;
    const said = summary === undefined ? {} : { summary };
    return toRecord({ type: "StepCompleted", command, name, attempt, inputHash, result: result.payload, ...said });
  }
  throw invalid(
    source,
    `Another result is for a fork at the end of a step; event ${last?.seq} is ${last?.type}.`,
    "result",
  );
}

/**
 * Counted anew. All attempts of a run have one together, which is told with the start of each but the first; and none more than its
 * chain had left then.
 */
function timeoutOf({ deadlineAt, startedAt }: RunDetail, [first]: readonly HistoryEvent[]): number | null {
  const { continues, chainTimeoutMs = null } = first?.type === "RunStarted" ? first : {};
  if (continues?.retry !== undefined) return shorterOf(continues.retry.timeoutMs, chainTimeoutMs);
  return deadlineAt === null ? null : deadlineAt - startedAt;
}

function takenIn(events: readonly HistoryEvent[]): number {
  return events.reduce((taken, event) => ("mail" in event ? Math.max(taken, event.mail) : taken), 0);
}

function invalid({ runId }: RunDetail, message: string, argument: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { runId, argument } });
}
