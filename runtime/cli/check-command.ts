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
  readonly allowMissingVersions?: boolean;
}

export function checkCommand(): Command {
  const command = new Command("check")
    .description("replay histories against the workflows that files export; exit code 1 if one of them does not fit")
    .argument("<files...>", "modules that export workflows")
    .option("--histories <folder>", "check the history files below this folder instead of a database")
    .option("--queue <name>", "only runs of this queue")
    .option("--allow-missing-versions", "runs of versions that the files do not export have other workers")
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
    if (counts.differ > 0 || (counts.missing > 0 && options.allowMissingVersions !== true)) process.exitCode = 1;
  });
}

interface Counts {
  fit: number;
  differ: number;
  /** Of versions that the files do not export, of workflows that they do. */
  missing: number;
  /** Of workflows that the files do not export. */
  skipped: number;
}

/** Prints each difference as soon as it is found: as text, or as JSON, one a line. */
async function report(checked: AsyncIterable<CheckedHistory>, asJson: boolean): Promise<Counts> {
  const counts: Counts = { fit: 0, differ: 0, missing: 0, skipped: 0 };
  const missing = new Map<string, number>();
  for await (const { verdict, difference, ...run } of checked) {
    if (verdict === "fits") counts.fit++;
    else if (verdict === "unknownVersion") {
      counts.missing++;
      const code = run.version === null ? `${run.workflow} without a version` : `${run.workflow} ${run.version}`;
      missing.set(code, (missing.get(code) ?? 0) + 1);
    } else if (difference === null) counts.skipped++;
    else {
      counts.differ++;
      const { code, message, details } = difference;
      console.log(asJson ? formatJson({ ...run, code, message, details }) : `${code}: ${message}\n`);
    }
  }
  for (const [code, runs] of missing) {
    const what = `${code}: ${runs} ${runs === 1 ? "history needs" : "histories need"} this code, which the files do not export.`;
    console.log(asJson ? formatJson({ missing: code, histories: runs }) : `${what}\n`);
  }
  return counts;
}

function summarize({ fit, differ, missing, skipped }: Counts, workflows: readonly AnyWorkflow[]): string {
  const names = [...new Set(workflows.map(({ name }) => name))].sort().join(", ");
  const total = fit + differ;
  const checked = `${total} ${total === 1 ? "history" : "histories"} checked (${names}): ${fit} fit, ${differ} differ.`;
  const others = missing === 0 ? "" : ` ${missing} of versions that are not there.`;
  return `${checked}${others}${skipped === 0 ? "" : ` ${skipped} skipped, of other workflows.`}`;
}
