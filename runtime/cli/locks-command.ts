// `everstep locks`: which runs hold locks and permits, and which wait for them.

import { Command, Option } from "commander";
import { parseCount } from "./count-option.ts";
import { formatTable, formatTime } from "./table.ts";
import { formatJson } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface LocksOptions extends ClientOptions {
  readonly key?: string;
  readonly limit: number;
}

export function locksCommand(): Command {
  const command = new Command("locks")
    .description("show who holds locks and semaphores, and who waits for them")
    .option("--key <key>", "of this lock or semaphore; by default of all")
    .addOption(new Option("--limit <count>", "at the most").default(50).argParser(parseCount));
  return addClientOptions(command).action(async (options: LocksOptions) => {
    const { key, limit, json } = options;
    const locks = await withClient(options, (client) => client.locks({ key, limit }));
    if (json === true) return console.log(formatJson(locks));
    const rows = locks.map((lock) => [
      lock.fencingToken === null ? "waits" : "holds",
      formatTime(lock.grantedAt ?? lock.requestedAt),
      `${lock.permits}/${lock.capacity}`,
      lock.fencingToken === null ? "-" : String(lock.fencingToken),
      lock.runId,
      lock.workflowId,
      lock.key,
    ]);
    console.log(formatTable(["STATE", "SINCE", "PERMITS", "TOKEN", "RUN", "ID", "KEY"], rows));
  });
}
