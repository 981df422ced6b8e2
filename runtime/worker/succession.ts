// The run that goes on where this one ends: as the code asked for, or because it failed and is tried again. The event that
// ends this run, and the start of the next, go out together.

import type { Continuation, RunContinued, RunStarted } from "../../sdk/protocol/event.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { NO_HEADERS } from "../../sdk/protocol/headers.ts";
import { leftOf, shorterOf } from "../../sdk/protocol/run-limits.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { RunEngine } from "../replay/engine.ts";
import { drawRetry, type FailedRun } from "../replay/run-retry.ts";
import type { ClaimedRun } from "../store/claims.ts";
import type { Successor } from "../store/turns.ts";
import type { Chance } from "../world/world.ts";
import type { Outgoing } from "./outbox.ts";
import type { IdSource } from "./run-host.ts";
import { versionAfter } from "./version-after.ts";

/** The run that ends. */
export interface EndingRun {
  readonly facts: ClaimedRun;
  readonly engine: RunEngine;
}

export interface DrawnRetry extends FailedRun {
  readonly delayMs: number;
}

/** Null when the run ends as failed: there is no time left for another attempt. */
export function drawnRetry(
  failed: FailedRun,
  { deadlineAt }: Pick<ClaimedRun, "deadlineAt">,
  host: { storeNow(): number; readonly chance: Chance },
): DrawnRetry | null {
  const leftMs = deadlineAt === null ? null : deadlineAt - host.storeNow();
  const verdict = drawRetry(failed, { random: () => host.chance.float(), leftMs });
  return "stop" in verdict ? null : { ...failed, delayMs: verdict.delayMs };
}

export function continuation(next: NextRun & { readonly workflow: string }, run: EndingRun, ids: IdSource): Outgoing {
  const { facts, engine } = run;
  const { workflow, input, queue, timeoutMs = ownTimeoutMs(run), retry = engine.started.retry } = next;
  const nextRunId = ids.newRunId(facts.runId);
  const chainTimeoutMs = chainLeftMs(run, ids);
  return {
    event: { type: "RunContinued", nextRunId, workflow, input },
    close: "continuedAsNew",
    successor: {
      ...successorOf(run, nextRunId, ids.chance.uuid(), {
        workflow,
        input,
        ...(retry && { retry }),
        continues: chainOf(run),
        ...(chainTimeoutMs !== null && { chainTimeoutMs }),
        ...(next.headers !== null && { headers: next.headers }),
      }),
      queue: queue ?? facts.queue,
      ...versionAfter(facts, next),
      timeoutMs: shorterOf(timeoutMs, chainTimeoutMs),
    },
  };
}

/** The same again: with the input that this run had, and with what was said of it at its start. */
export function retrial({ attempt: failed, delayMs, failure }: DrawnRetry, run: EndingRun, ids: IdSource): Outgoing {
  const { facts, engine } = run;
  const { workflow, input, summary, details, retry } = engine.started;
  const attempt = failed + 1;
  const nextRunId = ids.newRunId(facts.runId);
  const event: RunContinued = {
    type: "RunContinued",
    nextRunId,
    workflow,
    input: null,
    retry: { attempt, delayMs, failure },
  };
  const chainTimeoutMs = chainLeftMs(run, ids);
  const continues = { ...chainOf(run), retry: { attempt, failure, timeoutMs: ownTimeoutMs(run) } };
  const said = { ...(summary !== undefined && { summary }), ...(details !== undefined && { details }) };
  const next = successorOf(run, nextRunId, ids.chance.uuid(), {
    workflow,
    input,
    ...said,
    ...(chainTimeoutMs !== null && { chainTimeoutMs }),
    ...(retry && { retry }),
    continues,
  });
  return {
    event,
    close: "continuedAsNew",
    successor: { ...next, queue: facts.queue, timeoutMs: null, retry: { attempt, delayMs } },
  };
}

function successorOf(
  { engine }: EndingRun,
  runId: string,
  seed: string,
  { headers = engine.headers, ...next }: Omit<RunStarted, "type" | "seed" | "attributes" | "memo" | "parent" | "root">,
): Omit<Successor, "queue" | "timeoutMs" | "retry"> {
  const { parent, data } = engine;
  const { root } = engine.started;
  const { attributes, memo } = data.carried;
  const carried = { attributes, memo, ...(headers !== NO_HEADERS && { headers }) };
  const started = toRecord({
    type: "RunStarted",
    ...next,
    seed,
    ...carried,
    ...(parent && { parent }),
    ...(root && { root }),
  });
  const isSaid = next.summary !== undefined || next.details !== undefined;
  return {
    runId,
    workflow: next.workflow,
    started,
    carriesData: attributes !== null || memo !== null || isSaid,
    passedOn: engine.mailToPassOn(),
  };
}

function chainOf({ facts: { runId }, engine }: EndingRun): Continuation {
  const { continues } = engine;
  const { firstRunId, firstStartedAt } = continues ?? { firstRunId: runId, firstStartedAt: engine.startedAt };
  return {
    previousRunId: runId,
    firstRunId,
    ...(firstStartedAt !== undefined && { firstStartedAt }),
    ...(engine.isAwaited && { isAwaited: true }),
  };
}

/** What the next run of the chain may take, with those that go on in its place; null for without end. */
function chainLeftMs({ facts: { startedAt }, engine }: EndingRun, ids: IdSource): number | null {
  const { chainTimeoutMs } = engine.started;
  return chainTimeoutMs === undefined ? null : leftOf(chainTimeoutMs, startedAt, ids.storeNow());
}

/** All attempts have one, counted from the start of the first. */
function ownTimeoutMs({ facts: { deadlineAt, startedAt }, engine }: EndingRun): number | null {
  const { retry } = engine.continues ?? {};
  if (retry !== undefined) return retry.timeoutMs;
  return deadlineAt === null ? null : deadlineAt - startedAt;
}
