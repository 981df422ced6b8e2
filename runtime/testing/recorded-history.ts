// A run's history as a file beside a test: what it holds, how it is made, how it is read back from JSON.

import type { ShownEvent } from "../../sdk/client/front-door.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { EVENT_CODES, type HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import { HISTORY_FORMAT, HISTORY_VERSION } from "../../sdk/protocol/history-file.ts";
import { refuseUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import { DEFAULT_QUEUE } from "../../sdk/protocol/run.ts";
import type { RunFacts } from "../replay/run-info.ts";
import { versionIn } from "../store/versions.ts";

/** A run's events with what `workflowInfo()` tells it of itself. Plain data: `JSON.stringify` keeps all of it. */
export interface RecordedHistory {
  readonly workflow: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly queue: string;
  /** Times are ms since the epoch. */
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  readonly events: readonly ShownEvent[];
}

/** What `replayHistory` reads: a `RecordedHistory`, a `HistoryFile` (`run.export()`, `everstep export`), or its events alone, as they are or as JSON. */
export type HistorySource = string | readonly object[] | (Partial<RunFacts> & { readonly events: readonly object[] });

/**
 * Reads the whole history of a run, to be kept as JSON and replayed against later code.
 *
 * Throws RUN_NOT_FOUND, STORE_UNAVAILABLE, CODEC_FAILED, and PAYLOAD_UNREADABLE where codecs of the client are missing.
 */
export async function collectHistory(run: RunHandle): Promise<RecordedHistory> {
  const { workflow, workflowId, runId, queue, startedAt, deadlineAt } = await run.describe();
  const events: ShownEvent[] = [];
  for await (const event of run.history()) {
    refuseUnreadableEvent(event, workflowId);
    events.push(event);
  }
  return { workflow, workflowId, runId, queue, startedAt, deadlineAt, events };
}

export interface ReadHistory {
  readonly run: RunFacts;
  readonly workflow: string;
  /** Null for a workflow without versions. */
  readonly version: string | null;
  /** In order. */
  readonly events: HistoryEvent[];
}

/** The events, and what is known of the run. Throws ARGUMENT_INVALID for anything that is no history. */
export function readHistory(source: HistorySource): ReadHistory {
  const content: unknown = typeof source === "string" ? parse(source) : source;
  const { events: given, ...facts } = (Array.isArray(content) ? { events: content } : (content ?? {})) as {
    readonly events?: unknown;
  } & Partial<RunFacts>;
  if (!Array.isArray(given)) throw invalid("it has no list of events");
  const events = given.map((event, index) => readEvent(event, index + 1));
  const [first] = events;
  if (first?.type !== "RunStarted") throw invalid("its first event is not RunStarted");
  const { format, version } = facts as Partial<Record<"format" | "version", unknown>>;
  if (format !== undefined && (format !== HISTORY_FORMAT || version !== HISTORY_VERSION)) {
    throw invalid(`it is of the form ${String(format)} ${String(version)}, which this release does not know`);
  }
  const { runId = "replayed", workflowId = runId, queue = DEFAULT_QUEUE, deadlineAt = null } = facts;
  const run = { runId, workflowId, queue, startedAt: facts.startedAt ?? first.at, deadlineAt };
  return { run, workflow: first.workflow, version: versionIn(events), events };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid("it is not JSON", error);
  }
}

/** An event as it is shown, or as it is stored. */
function readEvent(given: unknown, seq: number): HistoryEvent {
  const event = given as Partial<HistoryEvent> | null;
  if (typeof event !== "object" || event === null) throw invalid(`entry ${seq} is no event`);
  if (event.seq !== seq)
    throw invalid(`entry ${seq} has the seq ${String(event.seq)}: events count from 1 without gaps`);
  if (typeof event.at !== "number") throw invalid(`event ${seq} has no time`);
  if (typeof event.type === "number") {
    const known = fromRecord(event as StoredEvent);
    if (known !== undefined) return known;
  } else if (typeof event.type === "string" && Object.hasOwn(EVENT_CODES, event.type)) {
    return event as HistoryEvent;
  }
  throw invalid(`event ${seq} is of the type ${String(event.type)}, which this release does not know`);
}

function invalid(why: string, cause?: unknown): EverstepError {
  const message = `replayHistory(workflow, history): this is no history of a run: ${why}. Give it what collectHistory() or run.history() gave.`;
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "history" }, cause });
}
