// `everstep versions`: which versions of a workflow there are, how many runs of each are open, and which of them new runs
// get; with --current, --ramp or --clear, the latter is said anew. With --history, who said so, and when.

import { Command, InvalidArgumentError } from "commander";
import type { WorkflowVersion } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { VersionPolicy, VersionRamp } from "../../sdk/protocol/version-policy.ts";
import { addActorOption } from "./actor-option.ts";
import { formatTable, formatTime } from "./table.ts";
import { formatJson } from "./values.ts";
import { addClientOptions, type ClientOptions, withClient } from "./with-client.ts";

const MOST_CHANGES = 200;

interface VersionsOptions extends ClientOptions {
  readonly current?: string;
  readonly ramp?: VersionRamp;
  readonly clear?: boolean;
  readonly history?: boolean;
}

export function versionsCommand(): Command {
  const command = new Command("versions")
    .description("show the versions of a workflow, and say which of them new runs get")
    .argument("<workflow>", "the workflow's name")
    .option("--current <version>", "new runs are of this version from now on")
    .option("--ramp <version=percent>", "with --current: so many of a hundred new runs are of this one", parseRamp)
    .option("--clear", "each new run is of the version of the definition that it is started with")
    .option("--history", "show who changed that, when, from what and to what, the newest first");
  return addActorOption(addClientOptions(command)).action(async (workflow: string, options: VersionsOptions) => {
    const { current, ramp, clear, history, json } = options;
    if (ramp !== undefined && current === undefined)
      throw invalid("--ramp needs --current: the version of all the others.");
    if (clear === true && current !== undefined) throw invalid("--clear and --current contradict each other.");
    if (history === true) return showHistory(workflow, options);
    const { policy, versions } = await withClient(options, async (client) => {
      if (current !== undefined) await client.setVersionPolicy(workflow, { current, ramp });
      if (clear === true) await client.setVersionPolicy(workflow, null);
      return client.versions(workflow);
    });
    if (json === true) return console.log(formatJson({ policy, versions }));
    const rows = versions.map((version) => [
      version.version ?? "none",
      newRunsOf(version),
      version.isDrained ? "drained" : String(version.openRuns),
      version.isServed ? "now" : formatTime(version.lastSeenAt),
    ]);
    console.log(formatTable(["VERSION", "NEW RUNS", "OPEN", "SERVED"], rows));
  });
}

async function showHistory(workflow: string, options: VersionsOptions): Promise<void> {
  if (options.current !== undefined || options.clear === true) {
    throw invalid("--history shows what was said; say something new without it.");
  }
  const changes = await withClient(options, (client) => client.versionPolicyHistory(workflow, { limit: MOST_CHANGES }));
  if (options.json === true) return console.log(formatJson(changes));
  const rows = changes.map(({ at, actor, from, to }) => [
    formatTime(at),
    actor ?? "-",
    tellPolicy(from),
    tellPolicy(to),
  ]);
  console.log(formatTable(["AT", "BY", "FROM", "TO"], rows));
}

function tellPolicy(policy: VersionPolicy | null): string {
  if (policy === null) return "none";
  const { current, ramp } = policy;
  return ramp === null ? current : `${current}, ${ramp.percent} % ${ramp.version}`;
}

function newRunsOf({ isCurrent, rampPercent }: WorkflowVersion): string {
  if (rampPercent > 0) return `${rampPercent} %`;
  return isCurrent ? "current" : "-";
}

function parseRamp(text: string): VersionRamp {
  const [, version, percent] = /^([^=]+)=([0-9]+(?:\.[0-9]+)?)%?$/.exec(text) ?? [];
  if (version !== undefined && percent !== undefined) return { version, percent: Number(percent) };
  throw new InvalidArgumentError("It is a version and a percentage, as in 2.1.0=10.");
}

function invalid(message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "--current" } });
}
