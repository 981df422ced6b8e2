// Waits of a run, cut short: `retry-now` and `skip-sleep`. Stored before the command ends, and carried out when a worker comes to
// it.

import { Command } from "commander";
import { nameOrNumber } from "./name-or-number.ts";
import { formatJson } from "./values.ts";
import { addActingRunOptions, type RunOptions, withClient } from "./with-client.ts";

interface RepairOptions extends RunOptions {
  readonly requestId?: string;
}

export function retryNowCommand(): Command {
  const command = new Command("retry-now").description("try failed steps again without waiting longer");
  return addActingRunOptions(command)
    .argument("[step]", "its name, or its number as describe shows it; by default all that wait")
    .option("--request-id <id>", "asking again with the same id changes nothing")
    .action(async (id: string, step: string | undefined, options: RepairOptions) => {
      await withClient(options, (client) =>
        client.getUntyped(id, options.run).retryNow(whichOf(step), requestOf(options)),
      );
      const what = step === undefined ? "What waits to be tried again" : `Step ${step}`;
      confirm(options, { workflowId: id, step: step ?? null }, `${what} of ${id} is to be tried now.`);
    });
}

export function skipSleepCommand(): Command {
  const command = new Command("skip-sleep").description("end sleeps before their time");
  return addActingRunOptions(command)
    .argument("[timer]", "its name, or its number as describe shows it; by default all sleeps")
    .option("--request-id <id>", "asking again with the same id changes nothing")
    .action(async (id: string, timer: string | undefined, options: RepairOptions) => {
      await withClient(options, (client) =>
        client.getUntyped(id, options.run).skipSleep(whichOf(timer), requestOf(options)),
      );
      const what = timer === undefined ? "Sleeping" : `Timer ${timer}`;
      confirm(options, { workflowId: id, timer: timer ?? null }, `${what} of ${id} is to end now.`);
    });
}

function whichOf(text: string | undefined): string | number | undefined {
  return text === undefined ? undefined : nameOrNumber(text);
}

function requestOf({ requestId }: RepairOptions): { readonly requestId?: string } {
  return requestId === undefined ? {} : { requestId };
}

function confirm(options: RunOptions, facts: object, sentence: string): void {
  console.log(options.json === true ? formatJson(facts) : sentence);
}
