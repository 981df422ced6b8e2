// Replays a history against the code at hand, as a worker would before it carries the run on. Nothing is executed and
// nothing is written: steps have their recorded results.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { RunEngine } from "../replay/engine.ts";
import { TurnLoop } from "../replay/turn-loop.ts";
import { catchUnhandledErrors } from "../unhandled-errors.ts";
import { installGuards } from "../worker/guards/install.ts";
import { systemClock } from "../world/system.ts";
import { type HistorySource, readHistory } from "./recorded-history.ts";

/**
 * Resolves when the workflow's code fits the history: the run would go on, or end as it has ended. A history of an open
 * run is replayed as far as it goes.
 *
 * Throws what would block the run, with both sides and the place in the code: DIVERGENCE, FOREIGN_WAIT,
 * PAYLOAD_UNREADABLE. Throws ARGUMENT_INVALID when `history` is none, or one of another workflow.
 */
export async function replayHistory(workflow: AnyWorkflow, history: HistorySource): Promise<void> {
  const { run, events } = readHistory(history);
  const [first] = events;
  if (first?.type === "RunStarted" && first.workflow !== workflow.name) {
    const message = `This history is one of workflow "${first.workflow}" and cannot be replayed against "${workflow.name}": runs find their code by name.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "history" } });
  }
  installGuards();
  const letErrorsPass = catchUnhandledErrors();
  try {
    const engine = new RunEngine({ workflow, run, log: SILENT, recordsCallSites: true });
    const turns = new TurnLoop(systemClock.afterDrain);
    await new Promise<void>((resolve) => turns.feed(engine, events, true, resolve));
    if (engine.broken !== undefined) throw engine.broken;
  } finally {
    letErrorsPass();
  }
}

const silence = () => {};
const SILENT = { debug: silence, info: silence, warn: silence, error: silence };
