// `complete-step` and `fail-step`: end a step that waits to be completed from outside, by its name, its number or its token. They are
// stored before the command ends, and take effect even if no worker runs now.

import { Command } from "commander";
import type { StepReportOptions } from "../../sdk/client/step-reports.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { ApplicationFailure } from "../../sdk/protocol/failures.ts";
import { addActorOption } from "./actor-option.ts";
import { nameOrNumber } from "./name-or-number.ts";
import { formatJson, parseValue } from "./values.ts";
import { addClientOptions, type RunOptions, withClient } from "./with-client.ts";

interface ReportOptions extends RunOptions {
  readonly token?: string;
  readonly reportId?: string;
}

interface CompleteOptions extends ReportOptions {
  readonly result?: string;
}

interface FailOptions extends ReportOptions {
  readonly message: string;
  readonly final?: boolean;
}

export function completeStepCommand(): Command {
  const command = new Command("complete-step").description(
    "complete a step that waits for it, by name, number or token",
  );
  return addReportOptions(command)
    .option("--result <json>", "the step's result")
    .action(async (id: string | undefined, step: string | undefined, options: CompleteOptions) => {
      const result = parseValue(options.result, "--result");
      const target = targetOf(id, step, options);
      await withClient(options, (client) =>
        "token" in target
          ? client.completeStep(target.token, result, idOf(options))
          : client.getUntyped(target.id, options.run).completeStep(target.step, result, idOf(options)),
      );
      confirm(options, "completed", target);
    });
}

export function failStepCommand(): Command {
  const command = new Command("fail-step").description(
    "fail the attempt of a step that waits, by name, number or token",
  );
  return addReportOptions(command)
    .option("--message <text>", "what went wrong", "failed from the command line")
    .option("--final", "the step is not tried again")
    .action(async (id: string | undefined, step: string | undefined, options: FailOptions) => {
      const error = new ApplicationFailure(options.message, { retryable: options.final !== true });
      const target = targetOf(id, step, options);
      await withClient(options, (client) =>
        "token" in target
          ? client.failStep(target.token, error, idOf(options))
          : client.getUntyped(target.id, options.run).failStep(target.step, error, idOf(options)),
      );
      confirm(options, "failed", target);
    });
}

function addReportOptions(command: Command): Command {
  return addActorOption(addClientOptions(command))
    .argument("[id]", "workflow id: its open run, else its latest")
    .argument("[step]", "the step's name, or its number as describe shows it")
    .option("--run <run-id>", "this very run, of those that had the id")
    .option("--token <token>", "instead of id and name: the token that the step gave out")
    .option("--report-id <id>", "reporting again with the same id changes nothing");
}

type Target = { readonly token: string } | { readonly id: string; readonly step: string | number };

function targetOf(id: string | undefined, step: string | undefined, { token }: ReportOptions): Target {
  if (token !== undefined && id === undefined) return { token };
  if (token === undefined && id !== undefined && step !== undefined) return { id, step: nameOrNumber(step) };
  const message = "Say which step is meant: by the run's id and the step's name, or by --token alone.";
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "step" } });
}

function idOf({ reportId }: ReportOptions): StepReportOptions {
  return reportId === undefined ? {} : { reportId };
}

function confirm(options: ReportOptions, outcome: string, target: Target): void {
  const which = "token" in target ? {} : { workflowId: target.id, step: target.step };
  const sentence =
    "token" in target ? `The step is to be ${outcome}.` : `Step ${target.step} of ${target.id} is to be ${outcome}.`;
  console.log(options.json === true ? formatJson({ ...which, outcome }) : sentence);
}
