// `everstep check`: the gate before a deploy. Replays the histories that the code will meet, and fails if one of them would
// be blocked.

import { Command } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { assertElsewhere, checkHistories, checkRuns } from "../testing/check-histories.ts";
import { CheckReport } from "./check-report.ts";
import { parseCount } from "./count-option.ts";
import { readHistories } from "./history-files.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";
import { importWorkflows } from "./workflow-files.ts";

interface CheckOptions extends ClientOptions {
  readonly histories?: string;
  readonly queue?: string;
  readonly closed?: number;
  readonly allowMissingVersions?: boolean;
  readonly allowMissingWorkflows?: boolean;
  readonly ignoreWorkflow?: readonly string[];
}

export function checkCommand(): Command {
  const command = new Command("check")
    .description("replay histories against the workflows that files export; exit code 1 if one of them does not fit")
    .argument("<files...>", "modules that export workflows")
    .option("--histories <folder>", "check the history files below this folder instead of a database")
    .option("--queue <name>", "only runs of this queue")
    .option("--allow-missing-versions", "runs of versions that the files do not export have other workers")
    .option("--allow-missing-workflows", "runs of workflows that the files do not export have other workers")
    .option("--ignore-workflow <name>", "runs of this workflow have other workers (may be repeated)", append)
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
    const elsewhere = options.allowMissingWorkflows === true ? "others" : (options.ignoreWorkflow ?? []);
    const isElsewhere = (workflow: string) => elsewhere === "others" || elsewhere.includes(workflow);
    const report = new CheckReport({
      asJson: options.json === true,
      isElsewhere,
      allowsMissingVersions: options.allowMissingVersions === true,
    });
    if (histories === undefined) {
      await withClient(options, async (client) => {
        const chosen = { ...(queue === undefined ? {} : { queue }), ...(closed === undefined ? {} : { closed }) };
        await report.tell(checkRuns(client, workflows, { ...chosen, elsewhere }));
      });
    } else {
      if (elsewhere !== "others") assertElsewhere(workflows, elsewhere);
      await report.tell(checkHistories(workflows, readHistories(histories)));
    }
    report.summarize(workflows);
    if (report.isRefused) process.exitCode = 1;
  });
}

function append(name: string, names: readonly string[] = []): readonly string[] {
  return [...names, name];
}
