// `everstep bulk <action>`: one thing done to all runs of a filter. Progress and the bulk's id go to standard error, so that
// a bulk that was cut short can be repeated; the report goes to standard output.

import { Command, Option } from "commander";
import type { BulkCounts, BulkReport } from "../../sdk/client/bulk-report.ts";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunStatus } from "../../sdk/protocol/run.ts";
import { addActorOption } from "./actor-option.ts";
import { actionOf, BULK_ACTIONS, type BulkActionOptions } from "./bulk-actions.ts";
import { parseCount } from "./count-option.ts";
import { formatLine, formatTable } from "./table.ts";
import { formatJson } from "./values.ts";
import { versionFilterOption } from "./version-option.ts";
import { parseWhere, whereOption, whichRuns } from "./where-option.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface BulkOptions extends ClientOptions, BulkActionOptions {
  readonly workflow?: string;
  readonly id?: string;
  readonly idPrefix?: string;
  readonly minAttempt?: number;
  readonly queue?: string;
  readonly version?: string | null;
  readonly status?: readonly RunStatus[];
  readonly where?: readonly string[];
  readonly dryRun?: boolean;
  readonly concurrency: number;
  readonly bulkId?: string;
}

export function bulkCommand(): Command {
  const command = new Command("bulk")
    .description(`do one thing to many runs: ${BULK_ACTIONS.join(", ")}`)
    .argument("<action>", "what to do")
    .argument(
      "[name]",
      "of the signal, the step or the timer that is meant, where the action takes one; of move, the version",
    )
    .option("--workflow <name>", "runs of this workflow")
    .addOption(new Option("--id <id>", "runs that had this workflow id").conflicts("idPrefix"))
    .option("--id-prefix <text>", "runs whose workflow id begins with this")
    .addOption(
      new Option("--min-attempt <count>", "whole runs that are tried at least for this time").argParser(parseCount),
    )
    .option("--queue <name>", "runs of this queue")
    .addOption(versionFilterOption())
    .addOption(new Option("--status <status...>", "in any of these").choices([...OPEN_STATUSES, ...CLOSED_STATUSES]))
    .addOption(whereOption())
    .option("--dry-run", "find them, look whether it could be done, and do nothing")
    .addOption(new Option("--concurrency <count>", "at once").default(10).argParser(parseCount))
    .option("--bulk-id <id>", "repeat the bulk that had this id: nothing is done a second time")
    .option("--reason <text>", "pause, cancel, terminate: kept in the histories")
    .option("--input <json>", "signal: its payload")
    .option("--result <json>", "complete-step: the step's result")
    .option("--message <text>", "fail-step: what went wrong")
    .option("--final", "fail-step: it is not tried again")
    .addOption(new Option("--at <event>", "reset, fork: the last event that is shared").argParser(parseCount))
    .option("--suffix <text>", "fork: each has the workflow id of its source with this behind it")
    .option("--drop-signals", "retry, reset, fork: signals that came later are not delivered again")
    .option("--share-undone", "retry, reset, fork: also where a saga has begun to undo what would be shared");
  return addActorOption(addClientOptions(command)).action(bulk);
}

async function bulk(word: string, name: string | undefined, options: BulkOptions): Promise<void> {
  const { workflow, queue, version, status, dryRun, concurrency, bulkId, json } = options;
  const action = actionOf(word, name, options);
  const where = { workflow, ...whichRuns(options), queue, version, status, ...parseWhere(options.where) };
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    const report = await withClient(options, (client) => {
      const { signal } = stopping;
      const isDryRun = dryRun === true;
      const begun = client.bulk({ where, isDryRun, concurrency, bulkId, signal, onProgress: tellProgress });
      if (!isDryRun) console.error(`Bulk ${begun.bulkId}: repeat it with --bulk-id if it does not come to its end.`);
      return action(begun);
    });
    console.log(json === true ? formatJson(report) : formatReport(report));
    if (report.failed > 0 || report.isAborted) process.exitCode = 1;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

function tellProgress({ matched, done, skipped, failed }: BulkCounts): void {
  console.error(`${matched} run(s) so far: ${done} done, ${skipped} skipped, ${failed} failed.`);
}

function foreseen(skipped: number, failed: number): string {
  const some = skipped + failed === 0 ? "" : `; ${skipped} would be skipped, ${failed} would fail`;
  return `nothing was done to them${some}`;
}

function formatReport({ isDryRun, isAborted, matched, done, skipped, failed, notDone }: BulkReport): string {
  const counts = isDryRun ? foreseen(skipped, failed) : `${done} done, ${skipped} skipped, ${failed} failed`;
  const rows = notDone.map(({ run, outcome, code, message }) => {
    return [outcome, code ?? "-", run.workflowId, formatLine(message ?? "-")];
  });
  const more = skipped + failed - notDone.length;
  return [
    `${matched} run(s) found: ${counts}.${isAborted ? " Stopped before the rest." : ""}`,
    ...(rows.length === 0 ? [] : [formatTable(["OUTCOME", "CODE", "ID", "WHY"], rows)]),
    ...(more === 0 ? [] : [`And ${more} more.`]),
  ].join("\n\n");
}
