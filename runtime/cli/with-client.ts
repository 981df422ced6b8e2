// What every command that talks to a database shares: which database, which run, JSON or text, and a client that is closed
// whatever happens.

import { type Command, Option } from "commander";
import { Client } from "../client.ts";
import { type ActorOption, addActorOption } from "./actor-option.ts";
import { addCodecsOption, type CodecsOption, importCodecs } from "./codecs-option.ts";
import { type DatabaseOption, databaseOption, requireDatabase } from "./database-option.ts";

export interface ClientOptions extends DatabaseOption, CodecsOption, ActorOption {
  readonly json?: boolean;
}

export interface RunOptions extends ClientOptions {
  readonly run?: string;
}

export function addClientOptions(command: Command): Command {
  return addCodecsOption(command.addOption(databaseOption())).option("--json", "print JSON instead of text");
}

/** For commands on one run: `<id>` is the workflow id, `--run` names one of the runs that had it. */
export function addRunOptions(command: Command): Command {
  return addClientOptions(command.argument("<id>", "workflow id: its open run, else its latest")).addOption(
    new Option("--run <run-id>", "this very run, of those that had the id"),
  );
}

/** The same for commands that change what becomes of the run. */
export function addActingRunOptions(command: Command): Command {
  return addActorOption(addRunOptions(command));
}

export async function withClient<T>(options: ClientOptions, body: (client: Client) => Promise<T>): Promise<T> {
  // Standard output is for the answer, and what goes wrong is thrown.
  const database = requireDatabase(options);
  // An empty EVERSTEP_ACTOR names nobody.
  const actor = options.actor === "" ? undefined : options.actor;
  const client = new Client({ database, codecs: await importCodecs(options), logLevel: "silent", actor });
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}
