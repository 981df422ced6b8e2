// `everstep count`: how many runs there are, in all or by group.

import { Command, Option } from "commander";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunStatus } from "../../sdk/protocol/run.ts";
import { formatTable } from "./table.ts";
import { formatJson } from "./values.ts";
import { versionFilterOption } from "./version-option.ts";
import { parseWhere, whereOption } from "./where-option.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface CountOptions extends ClientOptions {
  readonly workflow?: string;
  readonly queue?: string;
  readonly version?: string | null;
  readonly status?: readonly RunStatus[];
  readonly where?: readonly string[];
  readonly by?: string;
}

const GROUPS = ["status", "workflow", "version", "queue"] as const;

export function countCommand(): Command {
  const command = new Command("count")
    .description("count runs, in all or by group")
    .option("--workflow <name>", "runs of this workflow")
    .option("--queue <name>", "runs of this queue")
    .addOption(versionFilterOption())
    .addOption(new Option("--status <status...>", "in any of these").choices([...OPEN_STATUSES, ...CLOSED_STATUSES]))
    .addOption(whereOption())
    .option("--by <group>", "by status, workflow, version, queue, or the values of an attribute");
  return addClientOptions(command).action(async (options: CountOptions) => {
    const { workflow, queue, version, status, by, json } = options;
    const where = { workflow, queue, version, status, ...parseWhere(options.where) };
    await withClient(options, async (client) => {
      if (by === undefined) return console.log(String(await client.count({ where })));
      const group = GROUPS.find((each) => each === by) ?? { attribute: by };
      const groups = await client.countBy(group, { where });
      if (json === true) return console.log(formatJson(groups));
      const rows = groups.map(({ value, count }) => [String(count), value === null ? "-" : shown(value)]);
      console.log(formatTable(["RUNS", by.toUpperCase()], rows));
    });
  });
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : formatJson(value);
}
