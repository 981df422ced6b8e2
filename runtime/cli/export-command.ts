// `everstep export`: histories as files, one per run, for `replayHistory`, for an archive, or to look at.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, Option } from "commander";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunStatus } from "../../sdk/protocol/run.ts";
import { parseWhere, whereOption } from "./where-option.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface ExportOptions extends ClientOptions {
  readonly id?: string;
  readonly run?: string;
  readonly workflow?: string;
  readonly status?: readonly RunStatus[];
  readonly where?: readonly string[];
  readonly to: string;
}

interface Target {
  readonly workflowId: string;
  readonly runId: string | undefined;
}

export function exportCommand(): Command {
  const command = new Command("export")
    .description("write histories as JSON files, one per run")
    .requiredOption("--to <folder>", "where to write <run-id>.history.json; it is made")
    .option("--id <id>", "the run of this workflow id: the open one, else the latest")
    .option("--run <run-id>", "with --id: this very run, of those that had the id")
    .option("--workflow <name>", "runs of this workflow")
    .addOption(new Option("--status <status...>", "in any of these").choices([...OPEN_STATUSES, ...CLOSED_STATUSES]))
    .addOption(whereOption());
  return addClientOptions(command).action(async (options: ExportOptions) => {
    const { id, workflow, to, json } = options;
    if ((id === undefined) === (workflow === undefined)) {
      const message = "export takes either --id, for one run, or --workflow, for those of a workflow.";
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "--id" } });
    }
    await mkdir(to, { recursive: true });
    const files: string[] = [];
    await withClient(options, async (client) => {
      for await (const { workflowId, runId } of targets(client, options)) {
        const history = await client.getUntyped(workflowId, runId).export();
        const file = join(to, `${history.runId}.history.json`);
        await writeFile(file, `${JSON.stringify(history, null, 2)}\n`);
        files.push(file);
        if (json !== true) console.log(file);
      }
    });
    if (json === true) console.log(JSON.stringify(files));
  });
}

async function* targets(client: WorkflowClient, options: ExportOptions): AsyncGenerator<Target> {
  const { id, run, workflow, status } = options;
  if (id !== undefined) return yield { workflowId: id, runId: run };
  const where = { workflow, status, ...parseWhere(options.where) };
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<WorkflowClient["list"]>> = await client.list({
      where,
      ...(after === null ? {} : { after }),
    });
    yield* page.runs;
    after = page.next;
  } while (after !== null);
}
