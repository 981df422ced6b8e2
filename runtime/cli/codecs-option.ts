// Which codecs a command's payloads go through: a module, whose default export is what `codecs` is in code.

import { type Command, Option } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { PayloadCodec } from "../codecs/payload-codec.ts";
import { importModule } from "./workflow-files.ts";

export interface CodecsOption {
  readonly codecs?: string;
}

export function addCodecsOption(command: Command): Command {
  return command.addOption(
    new Option("--codecs <file>", "a module whose default export is the list of payload codecs"),
  );
}

/** Throws CONFIGURATION_INVALID when the file is not there, or exports no list of codecs by default. */
export async function importCodecs({ codecs: file }: CodecsOption): Promise<readonly PayloadCodec[]> {
  if (file === undefined) return [];
  const { default: codecs } = await importModule(file);
  if (Array.isArray(codecs) && codecs.every(isCodec)) return codecs;
  const message = `${file} exports no list of codecs. Export it by default: export default [compression(), encryption(…)].`;
  throw new EverstepError("CONFIGURATION_INVALID", message, { details: { file } });
}

// By shape: the file's "everstep" may be another copy of the package than ours.
function isCodec(value: unknown): value is PayloadCodec {
  if (typeof value !== "object" || value === null) return false;
  const { name, encode, decode } = value as Partial<PayloadCodec>;
  return typeof name === "string" && typeof encode === "function" && typeof decode === "function";
}
