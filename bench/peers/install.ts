// The peers' packages are nobody's burden until somebody measures them: they are installed into their own folders, at
// the versions of their lock files, the first time they are asked for.

import { spawnSync } from "node:child_process";
import { type Contestant, isInstalled } from "./roster.ts";

/** Why this one's packages are not there, or undefined when they are. */
export function installPackages(contestant: Contestant): string | undefined {
  if (isInstalled(contestant)) return undefined;
  process.stderr.write(`Installing ${contestant.title} ${contestant.version} into ${contestant.folder} (npm ci)…\n`);
  const { status, stderr, error } = spawnSync("npm", ["ci", "--no-fund", "--no-audit"], {
    cwd: contestant.folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status === 0) return undefined;
  const lastLine = (error?.message ?? stderr).trim().split("\n").at(-1);
  return `its packages could not be installed: ${lastLine}`;
}
