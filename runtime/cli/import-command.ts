// `everstep import`: histories that `everstep export` wrote come into a database, each in a transaction of its own.

import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import { formatJson } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

export function importCommand(): Command {
  const command = new Command("import")
    .description("bring runs into a database from files that export wrote; open ones go on there")
    .argument("<files...>", "histories as JSON");
  return addClientOptions(command).action(async (files: string[], options: ClientOptions) => {
    // All are read before the first is stored: a name that is mistyped stops the command while nothing is done.
    const histories = await Promise.all(files.map(async (file) => ({ file, history: await readHistory(file) })));
    const imported: { file: string; workflowId: string; runId: string | undefined }[] = [];
    await withClient(options, async (client) => {
      for (const { file, history } of histories) {
        const { workflowId, runId } = await client.importRun(history);
        imported.push({ file, workflowId, runId });
        if (options.json !== true) console.log(`Imported ${workflowId} (run ${runId}) from ${file}`);
      }
    });
    if (options.json === true) console.log(formatJson(imported));
  });
}

async function readHistory(file: string): Promise<HistoryFile> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as HistoryFile;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${file} is no history file: ${reason}. Nothing was stored.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: file } });
  }
}
