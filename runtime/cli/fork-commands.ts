// New runs out of old ones: `fork` beside a run, `reset` and `retry` in its place.

import { Command, InvalidArgumentError } from "commander";
import type { ResetOptions } from "../../sdk/client/run-handle.ts";
import { formatJson, parseValue } from "./values.ts";
import { parseVersion } from "./version-option.ts";
import { addActingRunOptions, type RunOptions, withClient } from "./with-client.ts";

interface PlaceOptions extends RunOptions {
  readonly at?: number;
  readonly input?: string;
  readonly result?: string;
  readonly dropSignals?: boolean;
  readonly shareUndone?: boolean;
  readonly version?: string | null;
}

interface ForkOptions extends PlaceOptions {
  readonly newId: string;
}

interface RetryOptions extends PlaceOptions {
  readonly step?: string;
}

export function forkCommand(): Command {
  const command = new Command("fork").description("start a run that shares the first events of another");
  return addPlaceOptions(command)
    .requiredOption("--new-id <id>", "the fork's workflow id")
    .action((id: string, options: ForkOptions) =>
      withClient(options, async (client) => {
        const run = client.getUntyped(id, options.run);
        const fork = await run.fork({ ...placeOf(options), id: options.newId });
        confirm(options, fork, `Forked ${id}: ${fork.workflowId} (run ${fork.runId})`);
      }),
    );
}

export function resetCommand(): Command {
  const command = new Command("reset").description(
    "put a fork in the place of a run, which is terminated if it is open",
  );
  return addPlaceOptions(command).action((id: string, options: PlaceOptions) =>
    withClient(options, async (client) => {
      const fork = await client.getUntyped(id, options.run).reset(placeOf(options));
      confirm(options, fork, `Reset ${id} (run ${fork.runId})`);
    }),
  );
}

export function retryCommand(): Command {
  const command = new Command("retry").description("make a step or start a child again, and all that came after it");
  return addActingRunOptions(command)
    .option("--step <name>", "which; by default the one that failed last")
    .option("--drop-signals", "signals that came later are not delivered again")
    .option("--share-undone", "also where a saga has begun to undo what came before that")
    .action((id: string, options: RetryOptions) =>
      withClient(options, async (client) => {
        const fork = await client.getUntyped(id, options.run).retryFrom(options.step, keptOf(options));
        confirm(options, fork, `${id} is tried again (run ${fork.runId})`);
      }),
    );
}

function addPlaceOptions(command: Command): Command {
  return addActingRunOptions(command)
    .option("--at <event>", "the last event that is shared; by default the last before the end", parseEvent)
    .option("--input <json>", "another input, with --at 1")
    .option("--result <json>", "another result of the step that ended with this event")
    .option("--drop-signals", "signals that came later are not delivered again")
    .option("--share-undone", "also where a saga has begun to undo what is shared")
    .option("--version <version>", 'whose code goes on with it, or "none"; by default that of the run', parseVersion);
}

function placeOf(options: PlaceOptions): ResetOptions {
  const { at, input, result, version } = options;
  return {
    ...keptOf(options),
    ...(version === undefined ? {} : { version }),
    ...(at === undefined ? {} : { at }),
    ...(input === undefined ? {} : { input: parseValue(input, "--input") }),
    ...(result === undefined ? {} : { result: parseValue(result, "--result") }),
  };
}

function keptOf({ dropSignals, shareUndone }: PlaceOptions): Pick<ResetOptions, "signals" | "undone"> {
  return { signals: dropSignals === true ? "drop" : "keep", undone: shareUndone === true ? "share" : "refuse" };
}

function parseEvent(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is the number of an event, as `everstep history` shows it.");
}

function confirm(
  options: RunOptions,
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string | undefined },
  sentence: string,
): void {
  console.log(options.json === true ? formatJson({ workflowId, runId }) : sentence);
}
