// `everstep result`: waits for a run to close and prints what it returned, as JSON. A run that ended otherwise is an error.

import { Command } from "commander";
import { formatJson, parseDuration } from "./values.ts";
import { addRunOptions, type RunOptions, withClient } from "./with-client.ts";

interface ResultOptions extends RunOptions {
  readonly timeout?: string;
}

export function resultCommand(): Command {
  const command = new Command("result").description("wait for a run to end, and print its result as JSON");
  return addRunOptions(command)
    .option("--timeout <duration>", 'give up after this long, as in "30s"; by default it waits for ever')
    .action(async (id: string, options: ResultOptions) => {
      const timeout = parseDuration(options.timeout, "--timeout");
      const result = await withClient(options, (client) =>
        client.getUntyped(id, options.run).result(timeout === undefined ? {} : { timeout }),
      );
      console.log(formatJson(result, options.json === true ? 0 : 2));
    });
}
