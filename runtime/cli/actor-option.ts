// Who acts on runs from the command line: --actor, else EVERSTEP_ACTOR. There is no default: who sits at the terminal is not
// for us to guess.

import { type Command, Option } from "commander";

export interface ActorOption {
  readonly actor?: string;
}

export function addActorOption(command: Command): Command {
  return command.addOption(
    new Option("--actor <name>", "who does this, kept with it in plain text").env("EVERSTEP_ACTOR"),
  );
}
