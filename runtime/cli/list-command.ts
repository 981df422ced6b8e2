// `everstep list`: runs, newest first, a page at a time.

import { Command, Option } from "commander";
import type { RunOrder } from "../../sdk/client/run-filter.ts";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunStatus } from "../../sdk/protocol/run.ts";
import { parseCount } from "./count-option.ts";
import { formatLine, formatTable, formatTime } from "./table.ts";
import { formatJson } from "./values.ts";
import { versionFilterOption } from "./version-option.ts";
import { parseWhere, whereOption, whichRuns } from "./where-option.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface ListOptions extends ClientOptions {
  readonly workflow?: string;
  readonly id?: string;
  readonly idPrefix?: string;
  readonly minAttempt?: number;
  readonly queue?: string;
  readonly version?: string | null;
  readonly status?: readonly RunStatus[];
  readonly limit: number;
  readonly after?: string;
  readonly where?: readonly string[];
  readonly orderBy?: string;
  readonly asc?: boolean;
}

export function listCommand(): Command {
  const command = new Command("list")
    .description("list runs, newest first")
    .option("--workflow <name>", "runs of this workflow")
    .addOption(new Option("--id <id>", "runs that had this workflow id").conflicts("idPrefix"))
    .option("--id-prefix <text>", "runs whose workflow id begins with this")
    .addOption(
      new Option("--min-attempt <count>", "whole runs that are tried at least for this time").argParser(parseCount),
    )
    .option("--queue <name>", "runs of this queue")
    .addOption(versionFilterOption())
    .addOption(new Option("--status <status...>", "in any of these").choices([...OPEN_STATUSES, ...CLOSED_STATUSES]))
    .addOption(new Option("--limit <count>", "at the most").default(50).argParser(parseCount))
    .addOption(whereOption())
    .option("--order-by <what>", "by closedAt or an attribute, the latest or highest first; by default newest first")
    .option("--asc", "the other way round: lowest or oldest first")
    .option("--after <position>", "the page after, as the page before said");
  return addClientOptions(command).action(async (options: ListOptions) => {
    const { workflow, queue, version, status, limit, after, orderBy, asc, json } = options;
    const where = { workflow, ...whichRuns(options), queue, version, status, ...parseWhere(options.where) };
    const page = await withClient(options, (client) =>
      client.list({
        limit,
        where,
        orderBy: {
          by: orderOf(orderBy),
          direction: asc === true ? "asc" : "desc",
        },
        ...(after === undefined ? {} : { after }),
      }),
    );
    if (json === true) return console.log(formatJson(page));
    // Columns more where there is something in them.
    const isAbout = page.runs.some(({ staticSummary }) => staticSummary !== null);
    const isRetried = page.runs.some(({ attempt }) => attempt > 1);
    const rows = page.runs.map((run) => [
      run.status,
      run.version === null ? run.workflow : `${run.workflow} ${run.version}`,
      formatTime(run.startedAt),
      formatTime(run.closedAt),
      run.runId,
      run.workflowId,
      ...(isRetried ? [String(run.attempt)] : []),
      ...(isAbout ? [formatLine(run.staticSummary ?? "-")] : []),
    ]);
    const more = [...(isRetried ? ["ATTEMPT"] : []), ...(isAbout ? ["ABOUT"] : [])];
    console.log(formatTable(["STATUS", "WORKFLOW", "STARTED", "CLOSED", "RUN", "ID", ...more], rows));
    if (page.next !== null) console.log(`There may be more: --after ${page.next}`);
  });
}

function orderOf(text = "startedAt"): NonNullable<RunOrder["by"]> {
  return text === "startedAt" || text === "closedAt" ? text : { attribute: text };
}
