// `everstep prune`: deletes closed runs of a certain age, or says how many there are.

import { Command } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { formatJson, parseDuration } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface PruneOptions extends ClientOptions {
  readonly closedFor: string;
  readonly workflow?: string;
  readonly delete?: boolean;
}

export function pruneCommand(): Command {
  const command = new Command("prune")
    .description("count closed runs of a certain age, or delete them with their histories")
    .requiredOption("--closed-for <duration>", 'closed for at least this long, as in "30 days"')
    .option("--workflow <name>", "runs of this workflow; by default of all")
    .option("--delete", "delete them; without it they are only counted");
  return addClientOptions(command).action(async (options: PruneOptions) => {
    const { workflow, json } = options;
    const closedFor = parseDuration(options.closedFor, "--closed-for");
    if (closedFor === undefined) throw new EverstepError("ARGUMENT_INVALID", "--closed-for takes a duration.");
    const isDryRun = options.delete !== true;
    const pruned = await withClient(options, (client) => client.prune({ closedFor, workflow, isDryRun }));
    if (json === true) return console.log(formatJson(pruned));
    const what = `${pruned.runs} run(s) with ${pruned.events} event(s)`;
    console.log(isDryRun ? `${what} would be deleted. Delete them with --delete.` : `${what} deleted.`);
  });
}
