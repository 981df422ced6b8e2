// Holds code that is going to be deployed to the histories it will meet: each is replayed, what would block a run is told.
// One history is in memory at a time, however many there are.

import type { WorkflowClient } from "../../sdk/client/client.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunSummary } from "../../sdk/protocol/run.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { type HistorySource, readHistory } from "./recorded-history.ts";
import { replayHistory } from "./replay-history.ts";

export interface CheckedHistory {
  readonly workflow: string;
  readonly workflowId: string;
  readonly runId: string;
  /** Length of the history. */
  readonly events: number;
  /** `unknownWorkflow`: none of the given workflows has the name, so nothing was replayed. */
  readonly verdict: "fits" | "differs" | "unknownWorkflow";
  /** What would block the run, with both sides and the place in the code; null unless it differs. */
  readonly difference: EverstepError | null;
}

export interface CheckRunsOptions {
  /** Only runs of this queue. Default: of all queues. */
  readonly queue?: string;
  /** How many closed runs of each workflow are checked as well, the newest first. Default 0. */
  readonly closed?: number;
}

const PAGE = 200;

/**
 * Replays histories against workflows of their names, one by one: give it a generator, and only one is in memory.
 *
 * Throws ARGUMENT_INVALID for what is no history. What does not fit is not thrown but told.
 */
export async function* checkHistories(
  workflows: readonly AnyWorkflow[],
  histories: AsyncIterable<HistorySource> | Iterable<HistorySource>,
): AsyncGenerator<CheckedHistory> {
  const known = byName(workflows);
  for await (const source of histories) {
    const { run, events } = readHistory(source);
    const [first] = events;
    const workflow = first?.type === "RunStarted" ? first.workflow : "";
    const facts = { workflow, workflowId: run.workflowId, runId: run.runId, events: events.length };
    const code = known.get(workflow);
    if (code === undefined) yield { ...facts, verdict: "unknownWorkflow", difference: null };
    else yield { ...facts, ...(await replayed(code, { ...run, events })) };
  }
}

/**
 * Replays the open runs of the given workflows, and the newest closed ones if asked to, against the code at hand. Reads
 * only; no worker is needed, and none is disturbed. Runs that go on meanwhile are checked as far as they have come.
 *
 * Throws STORE_UNAVAILABLE, CODEC_FAILED. What does not fit is not thrown but told.
 */
export async function* checkRuns(
  client: WorkflowClient,
  workflows: readonly AnyWorkflow[],
  { queue, closed = 0 }: CheckRunsOptions = {},
): AsyncGenerator<CheckedHistory> {
  for (const workflow of byName(workflows).values()) {
    const of = { workflow: workflow.name, ...(queue === undefined ? {} : { queue }) };
    for (const { status, most } of [
      { status: OPEN_STATUSES, most: Number.POSITIVE_INFINITY },
      { status: CLOSED_STATUSES, most: closed },
    ]) {
      for await (const run of runsOf(client, { ...of, status }, most)) yield await checkRun(client, workflow, run);
    }
  }
}

async function checkRun(client: WorkflowClient, workflow: AnyWorkflow, run: RunSummary): Promise<CheckedHistory> {
  const facts = { workflow: run.workflow, workflowId: run.workflowId, runId: run.runId };
  const events: object[] = [];
  try {
    for await (const event of client.getUntyped(run.workflowId, run.runId).history()) events.push(event);
  } catch (error) {
    // Events of a newer release: a worker with this one would block the run as well.
    return { ...facts, events: events.length, ...differing(error, ["PAYLOAD_UNREADABLE"]) };
  }
  return { ...facts, events: events.length, ...(await replayed(workflow, { ...run, events })) };
}

async function* runsOf(
  client: WorkflowClient,
  filter: Parameters<WorkflowClient["list"]>[0],
  most: number,
): AsyncGenerator<RunSummary> {
  let left = most;
  for (let after: string | null | undefined; left > 0 && after !== null; ) {
    const limit = Math.min(PAGE, left);
    const page = await client.list({ ...filter, limit, ...(after === undefined ? {} : { after }) });
    yield* page.runs;
    left -= page.runs.length;
    after = page.next;
  }
}

type Verdict = Pick<CheckedHistory, "verdict" | "difference">;

async function replayed(workflow: AnyWorkflow, history: HistorySource): Promise<Verdict> {
  try {
    await replayHistory(workflow, history);
    return { verdict: "fits", difference: null };
  } catch (error) {
    return differing(error, ["DIVERGENCE", "FOREIGN_WAIT", "PAYLOAD_UNREADABLE"]);
  }
}

/** Throws what does not say that the code differs. */
function differing(error: unknown, codes: readonly EverstepError["code"][]): Verdict {
  if (error instanceof EverstepError && codes.includes(error.code)) return { verdict: "differs", difference: error };
  throw error;
}

function byName(workflows: readonly AnyWorkflow[]): Map<string, AnyWorkflow> {
  return new Map(workflows.map((workflow) => [workflow.name, workflow]));
}
