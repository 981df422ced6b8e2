// Versions on the command line. "none" is the workflow without a version: no semantic version is called so.

import { Option } from "commander";

const NONE = "none";

export function parseVersion(text: string): string | null {
  return text === NONE ? null : text;
}

export function versionFilterOption(): Option {
  return new Option(
    "--version <version>",
    'runs of this version of their workflow; "none" for those without',
  ).argParser(parseVersion);
}
