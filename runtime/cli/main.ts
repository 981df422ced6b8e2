#!/usr/bin/env node
// The command line. Every command is a file; here they are named, and what they throw becomes one line on standard error
// and exit code 1: the error's code, what happened, and what to do. The stack is shown for defects of ours only.

import { createRequire } from "node:module";
import { Command } from "commander";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import { bulkCommand } from "./bulk-command.ts";
import { checkCommand } from "./check-command.ts";
import { moveCommand, pauseCommand, resumeCommand, unblockCommand } from "./control-commands.ts";
import { countCommand } from "./count-command.ts";
import { describeCommand } from "./describe-command.ts";
import { devCommand } from "./dev-command.ts";
import { exportCommand } from "./export-command.ts";
import { forkCommand, resetCommand, retryCommand } from "./fork-commands.ts";
import { historyCommand } from "./history-command.ts";
import { importCommand } from "./import-command.ts";
import { listCommand } from "./list-command.ts";
import { locksCommand } from "./locks-command.ts";
import { cancelCommand, queryCommand, signalCommand, terminateCommand, updateCommand } from "./message-commands.ts";
import { migrateCommand } from "./migrate-command.ts";
import { patchesCommand } from "./patches-command.ts";
import { pruneCommand } from "./prune-command.ts";
import { retryNowCommand, skipSleepCommand } from "./repair-commands.ts";
import { resultCommand } from "./result-command.ts";
import { startCommand } from "./start-command.ts";
import { completeStepCommand, failStepCommand } from "./step-commands.ts";
import { versionsCommand } from "./versions-command.ts";
import { workerCommand } from "./worker-command.ts";

function everstepCommand(): Command {
  const { version } = createRequire(import.meta.url)("everstep/package.json") as { version: string };
  // Positional: behind a command's name `--version` is the command's own.
  return new Command("everstep")
    .description("Durable execution for TypeScript on Postgres")
    .version(version, "--version", "print the version")
    .enablePositionalOptions()
    .helpOption("--help", "print what a command takes")
    .showSuggestionAfterError()
    .addCommand(devCommand())
    .addCommand(migrateCommand())
    .addCommand(workerCommand())
    .addCommand(checkCommand())
    .addCommand(patchesCommand())
    .addCommand(versionsCommand())
    .addCommand(startCommand())
    .addCommand(listCommand())
    .addCommand(countCommand())
    .addCommand(locksCommand())
    .addCommand(describeCommand())
    .addCommand(historyCommand())
    .addCommand(resultCommand())
    .addCommand(signalCommand())
    .addCommand(updateCommand())
    .addCommand(completeStepCommand())
    .addCommand(failStepCommand())
    .addCommand(queryCommand())
    .addCommand(cancelCommand())
    .addCommand(terminateCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(unblockCommand())
    .addCommand(moveCommand())
    .addCommand(retryNowCommand())
    .addCommand(skipSleepCommand())
    .addCommand(forkCommand())
    .addCommand(resetCommand())
    .addCommand(retryCommand())
    .addCommand(bulkCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .addCommand(pruneCommand());
}

/** What a person at a terminal should read of an error. */
function describeError(error: unknown): string {
  if (isEverstepError(error) && error.code !== "INVARIANT_BROKEN") return `${error.code}: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// `everstep history order-1 | head` closes our output when it has enough: that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

try {
  await everstepCommand().parseAsync();
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
