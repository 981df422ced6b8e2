// Whole runs, taken out of the database, put into one, and deleted.

import type { PruneCall, PrunedRuns, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import type { ImportOutcome, ImportRequest } from "../store/starts.ts";
import type { Desk } from "./desk.ts";
import { exportRun } from "./history-export.ts";
import { importRequest } from "./history-import.ts";
import { type Pruned, pruneRuns } from "./pruning.ts";

export class Archive {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  async exportRun(to: RunReference): Promise<HistoryFile> {
    const run = await this.#desk.find(to);
    return this.#desk.insist(() => exportRun(this.#desk.store, run));
  }

  async importRun(file: HistoryFile): Promise<{ runId: string; workflowId: string }> {
    // Chosen before the first try: a repeated import is recognised by it.
    const request = importRequest(file, this.#desk.world.chance.uuid());
    const { runId, workflowId, queue, closed } = request;
    const outcome = await this.#desk.insist(() => this.#desk.store.importRun(request));
    if (outcome !== "imported") throw notImported(request, outcome);
    if (closed === null) this.#desk.wakeups.publish([`queue/${queue}`]);
    return { runId, workflowId };
  }

  async prune({ workflow, closedForMs, isDryRun }: PruneCall): Promise<PrunedRuns> {
    const [store, signal] = [this.#desk.store, this.#desk.insistence.signal];
    const rules = [{ workflow, retentionMs: closedForMs }];
    const pruned = { runs: 0, events: 0 };
    let after: string | null = null;
    do {
      const from: string | null = after;
      const page: Pruned = await this.#desk.insist(() =>
        pruneRuns({ store, rules, after: from, maxPages: 1, isDryRun, signal }),
      );
      pruned.runs += page.runs;
      pruned.events += page.events;
      after = page.next;
    } while (after !== null && !signal.aborted);
    return pruned;
  }
}

function notImported({ runId, workflowId }: ImportRequest, outcome: Exclude<ImportOutcome, "imported">): EverstepError {
  const why =
    outcome === "runExists"
      ? `Run ${runId} (${workflowId}) is in this database already. Nothing was imported.`
      : `Run ${workflowId} is open in this database, and so is the one to be imported. Nothing was imported; end the one that is here, or leave it.`;
  return new EverstepError("RUN_ALREADY_STARTED", why, { details: { workflowId, runId } });
}
