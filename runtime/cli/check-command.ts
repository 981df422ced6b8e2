// `everstep check`: the gate before a deploy. Replays the histories that the code will meet, and fails if one of them would
// be blocked.

import { Command } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { type CheckedHistory, checkHistories, checkRuns } from "../testing/check-histories.ts";
import { parseCount } from "./count-option.ts";
import { readHistories } from "./history-files.ts";
import { formatJson } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";
import { importWorkflows } from "./workflow-files.ts";

interface CheckOptions extends ClientOptions {
  readonly histories?: string;
  readonly queue?: string;
  readonly closed?: number;
}

export function checkCommand(): Command {
  const command = new Command("check")
    .description("replay histories against the workflows that files export; exit code 1 if one of them does not fit")
    .argument("<files...>", "modules that export workflows")
    .option("--histories <folder>", "check the history files below this folder instead of a database")
    .option("--queue <name>", "only runs of this queue")
    .option("--closed <count>", "also the newest closed runs of each workflow, this many", parseCount);
  return addClientOptions(command).action(async (files: readonly string[], options: CheckOptions) => {
    const { histories, queue, closed } = options;
    if (histories !== undefined && (queue !== undefined || closed !== undefined)) {
      throw new EverstepError(
        "ARGUMENT_INVALID",
        "--queue and --closed choose runs of a database; --histories has none.",
      );
    }
    const workflows = await importWorkflows(files);
    const counts =
      histories === undefined
        ? await withClient(options, (client) => {
            const chosen = { ...(queue === undefined ? {} : { queue }), ...(closed === undefined ? {} : { closed }) };
            return report(checkRuns(client, workflows, chosen), options.json === true);
          })
        : await report(checkHistories(workflows, readHistories(histories)), options.json === true);
    console.log(options.json === true ? formatJson(counts) : summarize(counts, workflows));
    if (counts.differ > 0) process.exitCode = 1;
  });
}

interface Counts {
  fit: number;
  differ: number;
  /** Of workflows that the files do not export. */
  skipped: number;
}

/** Prints each difference as soon as it is found: as text, or as JSON, one a line. */
async function report(checked: AsyncIterable<CheckedHistory>, asJson: boolean): Promise<Counts> {
  const counts: Counts = { fit: 0, differ: 0, skipped: 0 };
  for await (const { verdict, difference, ...run } of checked) {
    if (verdict === "fits") counts.fit++;
    else if (difference === null) counts.skipped++;
    else {
      counts.differ++;
      const { code, message, details } = difference;
      console.log(asJson ? formatJson({ ...run, code, message, details }) : `${code}: ${message}\n`);
    }
  }
  return counts;
}

function summarize({ fit, differ, skipped }: Counts, workflows: readonly AnyWorkflow[]): string {
  const names = [...new Set(workflows.map(({ name }) => name))].sort().join(", ");
  const total = fit + differ;
  const checked = `${total} ${total === 1 ? "history" : "histories"} checked (${names}): ${fit} fit, ${differ} differ.`;
  return skipped === 0 ? checked : `${checked} ${skipped} skipped, of other workflows.`;
}
