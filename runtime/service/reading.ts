// What runs are, and what they say of themselves: found, listed, counted, described, asked.

import type {
  BulkPlace,
  CountCall,
  CountedGroup,
  ListCall,
  LocksCall,
  QueriedRuns,
  RunDescription,
  RunReference,
  ShownEvent,
} from "../../sdk/client/front-door.ts";
import { attributeValueOf } from "../../sdk/protocol/attributes.ts";
import { EverstepError, invariant } from "../../sdk/protocol/errors.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { ListedLock } from "../../sdk/protocol/listed-lock.ts";
import { assertName } from "../../sdk/protocol/names.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { PENDING_QUERY, type PendingWork } from "../../sdk/protocol/pending-work.ts";
import { isClosed, type PatchedRun, type RunPatch, type RunSummary } from "../../sdk/protocol/run.ts";
import type { CountRequest, RunDetail } from "../store/runs.ts";
import { idAfter, newRunId } from "../world/run-id.ts";
import type { Desk } from "./desk.ts";
import {
  assertLimit,
  DEFAULT_LIST,
  listRequest,
  MAX_LIST,
  positionOf,
  runFilter,
  shownData,
  shownSummary,
} from "./lists.ts";
import { readBeginning, readNotes } from "./notes.ts";
import { askQuery } from "./question.ts";
import { isYetToBegin, summarize } from "./summary.ts";

const HISTORY_PAGE = 500;
const DESCRIBE_QUERY_MS = 1_500;
/** Run ids are of the clocks of those who start runs. */
const CLOCKS_DIFFER_MS = 1_000;

export interface QueryCall {
  readonly name: string;
  readonly input: Payload;
  readonly timeoutMs: number;
  readonly onlyIf: QueriedRuns | undefined;
}

export class Reading {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  async query(to: RunReference, { name, input, timeoutMs, onlyIf }: QueryCall): Promise<Payload> {
    const run = await this.#desk.find(to);
    if (onlyIf !== undefined) refuseUnless(onlyIf, run, name);
    return this.#ask(run, name, input, timeoutMs);
  }

  async describe(to: RunReference): Promise<RunDescription> {
    const run = await this.#desk.find(to);
    // A run whose worker died in it is not replayed for looking at it: that may end the next worker.
    const hasCrashed = run.ownerId === null && run.crashCount > 0;
    const isSilent = isClosed(run.status) || run.status === "blocked" || hasCrashed || isYetToBegin(run);
    const pending = isSilent ? null : await this.#pendingOf(run);
    const [notes, beginning] = await this.#desk.insist(() =>
      Promise.all([readNotes(this.#desk.store, run), readBeginning(this.#desk.store, run)]),
    );
    const { epoch: _epoch, now: _now, data, ...facts } = run;
    const shown = shownData(data, run.workflowId);
    return { ...facts, ...shown, ...beginning, notes, pending, summary: summarize(run, pending, beginning) };
  }

  async list(call: ListCall): Promise<{ runs: readonly RunSummary[]; next: string | null }> {
    const limit = call.limit ?? DEFAULT_LIST;
    assertLimit(limit, "list");
    const request = listRequest(call, limit);
    const runs = await this.#desk.insist(() => this.#desk.store.listRuns(request));
    const last = runs.length < limit ? undefined : runs.at(-1);
    return { runs: runs.map(shownSummary), next: last === undefined ? null : positionOf(last, request) };
  }

  openBulk(bulkId = newRunId(this.#desk.world)): BulkPlace {
    return { bulkId, after: idAfter(bulkId, CLOCKS_DIFFER_MS) };
  }

  async count(call: CountCall): Promise<readonly CountedGroup[]> {
    const { by, ...filter } = call;
    const request: CountRequest = { ...runFilter(filter), by, limit: MAX_LIST };
    const groups = await this.#desk.insist(() => this.#desk.store.countRuns(request));
    return groups.map(({ value, count }) => ({ value: value === null ? null : attributeValueOf(value), count }));
  }

  async locks({ key, limit = DEFAULT_LIST }: LocksCall): Promise<readonly ListedLock[]> {
    if (key !== null) assertName(key, "locks({ key })");
    assertLimit(limit, "locks");
    return this.#desk.insist(() => this.#desk.store.listLocks({ key, limit }));
  }

  async listPatches(call: ListCall): Promise<{ runs: readonly PatchedRun[]; next: string | null }> {
    const { runs, next } = await this.list(call);
    const runIds = runs.map(({ runId }) => runId);
    const marks = await this.#desk.insist(() => this.#desk.store.readEventsOfType(runIds, EVENT_CODES.PatchMarked));
    return { runs: runs.map((run) => ({ ...run, patches: (marks.get(run.runId) ?? []).map(patchOf) })), next };
  }

  async *history(to: RunReference): AsyncGenerator<ShownEvent> {
    const { runId, workflowId } = await this.#desk.find(to);
    let afterSeq = 0;
    while (true) {
      const page = await this.#desk.insist(() => this.#desk.store.readHistory(runId, afterSeq, HISTORY_PAGE));
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

  #ask(run: RunDetail, name: string, input: Payload, timeoutMs: number): Promise<Payload> {
    return askQuery({
      store: this.#desk.store,
      wakeups: this.#desk.wakeups,
      world: this.#desk.world,
      pollMs: this.#desk.pollMs,
      signal: this.#desk.insistence.signal,
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
}

function refuseUnless(onlyIf: QueriedRuns, { runId, workflowId, status }: RunDetail, query: string): void {
  if (!isClosed(status) || (status === "completed" && onlyIf === "openOrCompleted")) return;
  const wanted = onlyIf === "open" ? "open runs" : "runs that are open or have completed";
  const message = `Run ${workflowId} is ${status}, and query "${query}" was put to ${wanted} only. Ask without onlyIf, or see what became of the run.`;
  throw new EverstepError("QUERY_REJECTED", message, { details: { runId, query, status } });
}

function patchOf(stored: StoredEvent): RunPatch {
  const event = fromRecord(stored);
  invariant(event?.type === "PatchMarked", "the store reads events of the type it was asked for", { ...stored });
  return { id: event.name, isDeprecated: event.isDeprecated };
}
