// Holds code that is going to be deployed to the histories it will meet: each is replayed, what would block a run is told.
// One history is in memory at a time, however many there are.

import type { WorkflowClient } from "../../sdk/client/client.ts";
import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import { CLOSED_STATUSES, isClosed, OPEN_STATUSES, type RunSummary } from "../../sdk/protocol/run.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { Code } from "../worker/code.ts";
import { type HistorySource, readHistory } from "./recorded-history.ts";
import { replayHistory } from "./replay-history.ts";

export interface CheckedHistory {
  readonly workflow: string;
  readonly workflowId: string;
  readonly runId: string;
  /** Null for a workflow without versions. */
  readonly version: string | null;
  /** Length of the history; 0 where it was not read. */
  readonly events: number;
  /**
   * `unknownWorkflow`: none of the given workflows has the name; `unknownVersion`: one has, but not in the run's version. Then
   * nothing was replayed: the run would wait for a worker that has its code.
   */
  readonly verdict: "fits" | "differs" | "unknownWorkflow" | "unknownVersion";
  /** What would block the run, with both sides and the place in the code; null unless it differs. */
  readonly difference: EverstepError | null;
}

export interface CheckRunsOptions {
  /** Only runs of this queue. Default: of all queues. */
  readonly queue?: string;
  /** How many closed runs of each workflow are checked as well, the newest first. Default 0. */
  readonly closed?: number;
  /**
   * Workflows whose open runs have other workers, and are not looked at; "others": all that are not given. Default: none, so
   * an open run of a workflow that is not given is told as `unknownWorkflow`.
   */
  readonly elsewhere?: readonly string[] | "others";
}

const PAGE = 200;
/** As many as `countBy` tells of. */
const MOST_GROUPS = 200;

/**
 * Replays histories against workflows of their names and versions, one by one: give it a generator, and only one is in memory.
 *
 * Throws ARGUMENT_INVALID for what is no history. What does not fit is not thrown but told.
 */
export async function* checkHistories(
  workflows: readonly AnyWorkflow[],
  histories: AsyncIterable<HistorySource> | Iterable<HistorySource>,
): AsyncGenerator<CheckedHistory> {
  const known = new Code(workflows);
  for await (const source of histories) {
    const { run, workflow, version, events } = readHistory(source);
    const facts = { workflow, workflowId: run.workflowId, runId: run.runId, version, events: events.length };
    const code = known.get({ workflow, version });
    if (code !== undefined) yield { ...facts, ...(await replayed(code, { ...run, events })) };
    else
      yield {
        ...facts,
        verdict: known.names.includes(workflow) ? "unknownVersion" : "unknownWorkflow",
        difference: null,
      };
  }
}

/**
 * Replays the open runs of the given workflows, and the newest closed ones if asked to, against the code at hand: each
 * against that of its version. Then tells of the open runs that none of it is for. Reads only; no worker is needed, and none is
 * disturbed. Runs that go on meanwhile are checked as far as they have come, those that are deleted not at all.
 *
 * Throws ARGUMENT_INVALID when a given workflow is said to be elsewhere, STORE_UNAVAILABLE, CODEC_FAILED. What does not fit is
 * not thrown but told.
 */
export async function* checkRuns(
  client: WorkflowClient,
  workflows: readonly AnyWorkflow[],
  { queue, closed = 0, elsewhere = [] }: CheckRunsOptions = {},
): AsyncGenerator<CheckedHistory> {
  const known = new Code(workflows);
  const others = elsewhere === "others" ? "others" : new Set(elsewhere);
  if (elsewhere !== "others") assertElsewhere(workflows, elsewhere);
  const inQueue = queue === undefined ? {} : { queue };
  for (const workflow of known.names) {
    for (const { status, most } of [
      { status: OPEN_STATUSES, most: Number.POSITIVE_INFINITY },
      { status: CLOSED_STATUSES, most: closed },
    ]) {
      for await (const run of runsOf(client, { ...inQueue, workflow, status }, most)) {
        // Nobody will execute a closed one again.
        const checked = known.has(run) || !isClosed(run.status) ? await checkRun(client, known, run) : null;
        if (checked !== null) yield checked;
      }
    }
  }
  if (others === "others") return;
  const isUnknown = (name: string) => !known.names.includes(name) && !others.has(name);
  for await (const run of openRunsOf(client, isUnknown, inQueue)) {
    const { workflow, workflowId, runId, version } = run;
    yield { workflow, workflowId, runId, version, events: 0, verdict: "unknownWorkflow", difference: null };
  }
}

/** The open runs of workflows that are meant, the others as far as possible not even listed. */
async function* openRunsOf(
  client: WorkflowClient,
  isMeant: (workflow: string) => boolean,
  inQueue: { readonly queue?: string },
): AsyncGenerator<RunSummary> {
  const open = { ...inQueue, status: OPEN_STATUSES };
  const groups = await client.countBy("workflow", { where: open });
  const listed = new Set(groups.map(({ value }) => String(value)));
  for (const workflow of listed)
    if (isMeant(workflow)) yield* runsOf(client, { ...open, workflow }, Number.POSITIVE_INFINITY);
  if (groups.length < MOST_GROUPS) return;
  for await (const run of runsOf(client, open, Number.POSITIVE_INFINITY))
    if (!listed.has(run.workflow) && isMeant(run.workflow)) yield run;
}

/** Throws ARGUMENT_INVALID when one of the workflows is said to be elsewhere. */
export function assertElsewhere(workflows: readonly AnyWorkflow[], elsewhere: readonly string[]): void {
  const both = workflows.map(({ name }) => name).find((name) => elsewhere.includes(name));
  if (both === undefined) return;
  const message = `Workflow "${both}" is given to be checked, and said to be elsewhere: its runs would not be looked at. Leave one of the two out.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "elsewhere", workflow: both } });
}

/** Null for one that has been deleted since it was listed. */
async function checkRun(client: WorkflowClient, known: Code, run: RunSummary): Promise<CheckedHistory | null> {
  const { workflow, workflowId, runId, version, queue, startedAt, deadlineAt } = run;
  const facts = { workflow, workflowId, runId, version };
  const code = known.get(run);
  if (code === undefined) return { ...facts, events: 0, verdict: "unknownVersion", difference: null };
  const events: object[] = [];
  try {
    for await (const event of client.getUntyped(run.workflowId, run.runId).history()) events.push(event);
  } catch (error) {
    if (isEverstepError(error) && error.code === "RUN_NOT_FOUND") return null;
    // Events of a newer release: a worker with this one would block the run as well.
    return { ...facts, events: events.length, ...differing(error, ["PAYLOAD_UNREADABLE"]) };
  }
  if (events.length === 0) return null;
  const history = { runId, workflowId, queue, startedAt, deadlineAt, events };
  return { ...facts, events: events.length, ...(await replayed(code, history)) };
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
