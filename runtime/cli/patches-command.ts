// `everstep patches`: which runs need which branch of a changed workflow. Goes through all open runs, page by page.

import { Command } from "commander";
import type { PatchedRun } from "../../sdk/protocol/run.ts";
import type { Client } from "../client.ts";
import { formatTable } from "./table.ts";
import { formatJson } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface PatchesOptions extends ClientOptions {
  readonly workflow?: string;
  readonly queue?: string;
  readonly patch?: string;
}

const PAGE = 200;

export function patchesCommand(): Command {
  const command = new Command("patches")
    .description("count the open runs that carry the marks of patched() and deprecatePatch(), and those that do not")
    .option("--workflow <name>", "runs of this workflow")
    .option("--queue <name>", "runs of this queue")
    .option("--patch <id>", "list the runs one by one, with what each carries of this patch");
  return addClientOptions(command).action(async (options: PatchesOptions) => {
    await withClient(options, async (client) => {
      if (options.patch === undefined) await printCounts(openRuns(client, options), options.json === true);
      else await printRuns(openRuns(client, options), options.patch, options.json === true);
    });
  });
}

async function* openRuns(client: Client, { workflow, queue }: PatchesOptions): AsyncGenerator<PatchedRun> {
  for (let after: string | null | undefined; after !== null; ) {
    const page = await client.listPatches({
      limit: PAGE,
      ...(workflow === undefined ? {} : { workflow }),
      ...(queue === undefined ? {} : { queue }),
      ...(after === undefined ? {} : { after }),
    });
    yield* page.runs;
    after = page.next;
  }
}

interface Counts {
  open: number;
  readonly patches: Map<string, { patched: number; deprecated: number }>;
}

async function printCounts(runs: AsyncIterable<PatchedRun>, asJson: boolean): Promise<void> {
  const workflows = new Map<string, Counts>();
  for await (const { workflow, patches } of runs) {
    const counts = workflows.get(workflow) ?? { open: 0, patches: new Map() };
    workflows.set(workflow, counts);
    counts.open++;
    for (const { id, isDeprecated } of patches) {
      const patch = counts.patches.get(id) ?? { patched: 0, deprecated: 0 };
      counts.patches.set(id, patch);
      patch[isDeprecated ? "deprecated" : "patched"]++;
    }
  }
  const rows = [...workflows].flatMap(([workflow, { open, patches }]) =>
    [...patches].map(([patch, { patched, deprecated }]) => {
      return { workflow, patch, open, patched, deprecated, unmarked: open - patched - deprecated };
    }),
  );
  if (asJson) return console.log(formatJson(rows));
  const cells = rows.map((row) => Object.values(row).map(String));
  console.log(formatTable(["WORKFLOW", "PATCH", "OPEN", "PATCHED", "DEPRECATED", "UNMARKED"], cells));
}

/** As they come: there may be very many. */
async function printRuns(runs: AsyncIterable<PatchedRun>, patch: string, asJson: boolean): Promise<void> {
  for await (const { patches, ...run } of runs) {
    const found = patches.find(({ id }) => id === patch);
    const mark = found === undefined ? "unmarked" : found.isDeprecated ? "deprecated" : "patched";
    if (asJson) console.log(formatJson({ ...run, mark }));
    else console.log([mark.padEnd(10), run.status.padEnd(7), run.workflow, run.runId, run.workflowId].join("  "));
  }
}
