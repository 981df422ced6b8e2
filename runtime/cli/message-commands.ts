// What one can say to a run: `signal`, `update`, `query`, `cancel`, `terminate`. All but the query are stored before the command
// ends, and take effect even if no worker runs now.

import { Command, Option } from "commander";
import type { QueriedRuns } from "../../sdk/client/front-door.ts";
import { defineQuery } from "../../sdk/workflow/query.ts";
import { defineSignal } from "../../sdk/workflow/signal.ts";
import { defineUpdate } from "../../sdk/workflow/update.ts";
import { formatJson, parseDuration, parseValue } from "./values.ts";
import { addActingRunOptions, addRunOptions, type RunOptions, withClient } from "./with-client.ts";

interface SignalOptions extends RunOptions {
  readonly input?: string;
  readonly signalId?: string;
}

interface UpdateOptions extends RunOptions {
  readonly input?: string;
  readonly updateId?: string;
  readonly waitFor: string;
  readonly timeout?: string;
}

interface QueryOptions extends RunOptions {
  readonly input?: string;
  readonly onlyIf?: QueriedRuns;
  readonly timeout: string;
}

interface StopOptions extends RunOptions {
  readonly reason: string;
}

export function signalCommand(): Command {
  const command = addRunOptions(new Command("signal").description("send a signal to a run"))
    .argument("<name>", "the signal's name")
    .option("--input <json>", "the signal's payload")
    .option("--signal-id <id>", "sending again with the same id changes nothing");
  return command.action(async (id: string, name: string, options: SignalOptions) => {
    const payload = parseValue(options.input, "--input");
    const { signalId } = options;
    await withClient(options, (client) =>
      client
        .getUntyped(id, options.run)
        .signal(defineSignal<unknown>(name), payload, signalId === undefined ? {} : { signalId }),
    );
    confirm(options, { workflowId: id, signal: name }, `Signal ${name} is stored for ${id}.`);
  });
}

export function updateCommand(): Command {
  const command = addRunOptions(new Command("update").description("send an update to a run and print its answer"))
    .argument("<name>", "the update's name")
    .option("--input <json>", "the update's input")
    .option("--update-id <id>", "sending again with the same id gives the same answer")
    .option("--wait-for <stage>", "stored, accepted or completed", "completed")
    .option("--timeout <duration>", "how long to wait at the most");
  return command.action(async (id: string, name: string, options: UpdateOptions) => {
    const input = parseValue(options.input, "--input");
    const timeout = parseDuration(options.timeout, "--timeout");
    const { updateId, waitFor } = options;
    const wait = {
      ...(updateId === undefined ? {} : { updateId }),
      ...(timeout === undefined ? {} : { timeout }),
    };
    const update = defineUpdate<unknown, unknown>(name);
    await withClient(options, async (client) => {
      const run = client.getUntyped(id, options.run);
      if (waitFor === "completed") {
        return console.log(formatJson(await run.update(update, input, wait), options.json === true ? 0 : 2));
      }
      const sent = await run.update(update, input, { ...wait, waitFor: waitFor as "stored" | "accepted" });
      const facts = { workflowId: id, update: name, updateId: sent.updateId, stage: waitFor };
      confirm(options, facts, `Update ${name} (${sent.updateId}) is ${waitFor}.`);
    });
  });
}

export function queryCommand(): Command {
  const command = addRunOptions(new Command("query").description("ask a run, open or closed"))
    .argument("<name>", "the query's name")
    .option("--input <json>", "the query's input")
    .option("--timeout <duration>", "how long to wait for a worker's answer", "10s")
    .addOption(
      new Option("--only-if <state>", "ask no other runs").choices(["open", "openOrCompleted"] satisfies QueriedRuns[]),
    );
  return command.action(async (id: string, name: string, options: QueryOptions) => {
    const input = parseValue(options.input, "--input");
    const timeout = parseDuration(options.timeout, "--timeout") ?? 0;
    const answer = await withClient(options, (client) =>
      client.getUntyped(id, options.run).query(defineQuery<unknown, unknown>(name), input, {
        timeout,
        ...(options.onlyIf === undefined ? {} : { onlyIf: options.onlyIf }),
      }),
    );
    console.log(formatJson(answer, options.json === true ? 0 : 2));
  });
}

export function cancelCommand(): Command {
  const command = new Command("cancel").description("ask a run to stop; its code can clean up");
  return addActingRunOptions(command)
    .option("--reason <text>", "kept in the history", "canceled from the command line")
    .action(async (id: string, options: StopOptions) => {
      await withClient(options, (client) => client.getUntyped(id, options.run).cancel(options.reason));
      confirm(options, { workflowId: id, isCancelRequested: true }, `${id} is asked to stop.`);
    });
}

export function terminateCommand(): Command {
  const command = new Command("terminate").description("close a run now; its code cannot react");
  return addActingRunOptions(command)
    .option("--reason <text>", "kept in the history", "terminated from the command line")
    .action(async (id: string, options: StopOptions) => {
      await withClient(options, (client) => client.getUntyped(id, options.run).terminate(options.reason));
      confirm(options, { workflowId: id, status: "terminated" }, `${id} is terminated.`);
    });
}

function confirm(options: RunOptions, facts: object, sentence: string): void {
  console.log(options.json === true ? formatJson(facts) : sentence);
}
