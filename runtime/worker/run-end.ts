// What a run says last: how its code ended, or which run goes on in its place.

import type { Event } from "../../sdk/protocol/event.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { NO_HEADERS } from "../../sdk/protocol/headers.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { Outcome } from "../replay/outcome.ts";
import type { ClaimedRun } from "../store/store.ts";
import type { Outgoing } from "./outbox.ts";
import type { RunHost } from "./run-host.ts";

/** The run that ends. */
interface Ending {
  readonly facts: ClaimedRun;
  readonly engine: RunEngine;
}

export function endOf(outcome: Outcome, run: Ending, host: RunHost): Outgoing {
  if (outcome.type === "continued") return continuation(outcome.next, run, host);
  const { engine } = run;
  const unread = engine.unreadSignals();
  const event: Event =
    outcome.type === "completed"
      ? { type: "RunCompleted", result: outcome.result, unread }
      : { type: outcome.type === "failed" ? "RunFailed" : "RunCanceled", failure: outcome.failure, unread };
  return { event, close: outcome.type, hasKin: engine.hasKin };
}

function continuation(
  next: NextRun & { readonly workflow: string },
  { facts, engine }: Ending,
  host: RunHost,
): Outgoing {
  const { workflow, input, queue, timeoutMs } = next;
  const { runId } = facts;
  const nextRunId = host.newRunId(runId);
  const ownTimeoutMs = facts.deadlineAt === null ? null : facts.deadlineAt - facts.startedAt;
  const { parent, data, headers } = engine;
  const { attributes, memo } = data.carried;
  const continues = { previousRunId: runId, firstRunId: engine.continues?.firstRunId ?? runId };
  return {
    event: { type: "RunContinued", nextRunId, workflow, input },
    close: "continuedAsNew",
    successor: {
      runId: nextRunId,
      workflow,
      queue: queue ?? facts.queue,
      started: toRecord({
        type: "RunStarted",
        workflow,
        input,
        seed: host.newSeed(),
        attributes,
        memo,
        ...(headers !== NO_HEADERS && { headers }),
        continues,
        ...(parent && { parent }),
      }),
      carriesData: attributes !== null || memo !== null,
      timeoutMs: timeoutMs === undefined ? ownTimeoutMs : timeoutMs,
      passedOn: engine.mailToPassOn(),
    },
  };
}
