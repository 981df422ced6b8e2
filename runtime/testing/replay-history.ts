// Replays a history against the code at hand, as a worker would before it carries the run on. Nothing is executed and
// nothing is written: steps have their recorded results.

import { checkedInterceptors, type Interceptor } from "../../sdk/client/interceptors.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { refuseUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { RunEngine } from "../replay/engine.ts";
import { TurnLoop } from "../replay/turn-loop.ts";
import { WorkflowHooks } from "../replay/workflow-hooks.ts";
import { catchUnhandledErrors } from "../unhandled-errors.ts";
import { installGuards } from "../worker/guards/install.ts";
import { systemClock } from "../world/system.ts";
import { type HistorySource, readHistory } from "./recorded-history.ts";

export interface ReplayOptions {
  /** Stand around the code, as they would in a worker. Default: none. */
  readonly interceptors?: readonly Interceptor[] | undefined;
}

/**
 * Resolves when the workflow's code fits the history: the run would go on, or end as it has ended. A history of an open
 * run is replayed as far as it goes.
 *
 * Throws what would block the run, with both sides and the place in the code: DIVERGENCE, FOREIGN_WAIT,
 * PAYLOAD_UNREADABLE. Throws ARGUMENT_INVALID when `history` is none, or one of another workflow.
 * CONFIGURATION_INVALID for interceptors that are none.
 */
export async function replayHistory(
  workflow: AnyWorkflow,
  history: HistorySource,
  { interceptors }: ReplayOptions = {},
): Promise<void> {
  const replaying = replayingOf(workflow, history, interceptors);
  try {
    const { engine, feed } = replaying.begin();
    await feed(replaying.events, true);
    if (engine.broken !== undefined) throw engine.broken;
  } finally {
    replaying.end();
  }
}

export interface Replaying {
  readonly events: readonly HistoryEvent[];
  /** A run that has heard nothing yet. Its first line runs when the events ask for it, or at the end when it `begins`. */
  begin(): { readonly engine: RunEngine; feed(events: readonly HistoryEvent[], begins: boolean): Promise<void> };
  end(): void;
}

/** A history that is checked against the workflow's name, to be replayed as often as one likes until `end`. */
export function replayingOf(
  workflow: AnyWorkflow,
  history: HistorySource,
  interceptors?: readonly Interceptor[],
): Replaying {
  const hooks = WorkflowHooks.of(checkedInterceptors(interceptors).map((each) => each.workflow));
  const { run, events, workflow: name } = readHistory(history);
  if (name !== workflow.name) {
    const message = `This history is one of workflow "${name}" and cannot be replayed against "${workflow.name}": runs find their code by name.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "history" } });
  }
  for (const event of events) refuseUnreadableEvent(event, run.workflowId);
  installGuards();
  const end = catchUnhandledErrors();
  const turns = new TurnLoop(systemClock.afterDrain);
  return {
    events,
    begin() {
      const engine = new RunEngine({ workflow, run, log: SILENT, recordsCallSites: true, hooks });
      // Where the history is fed in parts, which way the code goes is still told by all of it.
      engine.foresee(events);
      return {
        engine,
        feed: (fed, begins) => new Promise<void>((resolve) => turns.feed(engine, fed, begins, resolve)),
      };
    },
    end,
  };
}

const silence = () => {};
const SILENT = { debug: silence, info: silence, warn: silence, error: silence };
