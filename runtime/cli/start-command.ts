// `everstep start`: starts a run of a workflow by its name. The code may be anywhere; a worker that has it executes it.

import { Command, Option } from "commander";
import { workflow } from "../../sdk/workflow/workflow.ts";
import { attributeOption, parseAttributes } from "./attribute-option.ts";
import { formatJson, parseDuration, parseValue } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

interface StartOptions extends ClientOptions {
  readonly id?: string;
  readonly input?: string;
  readonly queue?: string;
  readonly version: string;
  readonly timeout?: string;
  readonly chainTimeout?: string;
  readonly delay?: string;
  readonly attribute?: readonly string[];
  readonly memo?: string;
  readonly summary?: string;
  readonly details?: string;
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
}

const CONFLICTS = ["fail", "useExisting", "terminateExisting"];

export function startCommand(): Command {
  const command = new Command("start")
    .description("start a run of a workflow")
    .argument("<workflow>", "the workflow's name")
    .option("--id <id>", "your key for the run; by default its own id")
    .option("--input <json>", "the workflow's input")
    .option("--queue <name>", "whose workers execute it")
    .option("--version <version>", 'a version, as in 1.4.0, the newest of a range, as in "^1.2", or "policy"', "policy")
    .option("--timeout <duration>", 'closes the run when it is open longer, as in "2 hours"; by default it never is')
    .option("--chain-timeout <duration>", "the same for all runs that it continues as, and all attempts, together")
    .option("--delay <duration>", "how long before it may begin")
    .addOption(attributeOption())
    .option("--memo <json>", "an object to be shown with the run")
    .option("--summary <text>", "what it is about, shown in lists; 400 bytes")
    .option("--details <markdown>", "the same at length, shown with the run; 20,000 bytes")
    .addOption(new Option("--on-conflict <how>", "when an open run has the id").choices(CONFLICTS).default("fail"));
  return addClientOptions(command).action(async (name: string, options: StartOptions) => {
    const { id, queue, version, onConflict, summary, details } = options;
    const input = parseValue(options.input, "--input");
    const timeout = parseDuration(options.timeout, "--timeout");
    const chainTimeout = parseDuration(options.chainTimeout, "--chain-timeout");
    const delay = parseDuration(options.delay, "--delay");
    const attributes = parseAttributes(options.attribute);
    const memo = parseValue(options.memo, "--memo");
    // Only the name goes to the database.
    const named = workflow<unknown, unknown>(name, async () => undefined);
    await withClient(options, async (client) => {
      const { workflowId, runId } = await client.start(named, {
        input,
        version,
        onConflict,
        attributes,
        summary,
        details,
        ...(memo === undefined ? {} : { memo: memo as Record<string, unknown> }),
        ...(id === undefined ? {} : { id }),
        ...(queue === undefined ? {} : { queue }),
        ...(timeout === undefined ? {} : { timeout }),
        ...(chainTimeout === undefined ? {} : { chainTimeout }),
        ...(delay === undefined ? {} : { delay }),
      });
      console.log(
        options.json === true ? formatJson({ workflowId, runId }) : `Started ${name}: ${workflowId} (run ${runId})`,
      );
    });
  });
}
