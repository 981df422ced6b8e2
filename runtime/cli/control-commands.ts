// Whether and by which code a run is carried on: `pause`, `resume`, `unblock`, `move`. Stored before the command ends, and true from then on, even if no
// worker runs now.

import { Command } from "commander";
import { formatJson } from "./values.ts";
import { parseVersion } from "./version-option.ts";
import { addActingRunOptions, type RunOptions, withClient } from "./with-client.ts";

interface PauseOptions extends RunOptions {
  readonly reason: string;
}

export function pauseCommand(): Command {
  const command = new Command("pause").description("make a run stand still; steps under way may finish");
  return addActingRunOptions(command)
    .option("--reason <text>", "kept in the history", "paused from the command line")
    .action(async (id: string, options: PauseOptions) => {
      await withClient(options, (client) => client.getUntyped(id, options.run).pause(options.reason));
      confirm(options, { workflowId: id, isPaused: true }, `${id} is paused.`);
    });
}

export function resumeCommand(): Command {
  const command = new Command("resume").description("let a paused run go on");
  return addActingRunOptions(command).action(async (id: string, options: RunOptions) => {
    await withClient(options, (client) => client.getUntyped(id, options.run).resume());
    confirm(options, { workflowId: id, isPaused: false }, `${id} goes on.`);
  });
}

export function unblockCommand(): Command {
  const command = new Command("unblock").description("let a blocked run be claimed again, a quarantined one too");
  return addActingRunOptions(command).action(async (id: string, options: RunOptions) => {
    await withClient(options, (client) => client.getUntyped(id, options.run).unblock());
    confirm(options, { workflowId: id, isBlocked: false }, `${id} may be claimed again.`);
  });
}

export function moveCommand(): Command {
  const command = new Command("move").description("give a run to another version of its workflow, which replays it");
  return addActingRunOptions(command)
    .argument("<version>", 'as in 2.0.0; "none" for the workflow without a version')
    .action(async (id: string, given: string, options: RunOptions) => {
      const version = parseVersion(given);
      await withClient(options, (client) => client.getUntyped(id, options.run).moveTo(version));
      confirm(options, { workflowId: id, version }, `${id} goes on with ${version ?? "no version"}.`);
    });
}

function confirm(options: RunOptions, facts: object, sentence: string): void {
  console.log(options.json === true ? formatJson(facts) : sentence);
}
