// Runs the command line as its users do: a process with output, errors and an exit code, and nothing of this process's
// settings for databases.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../runtime/cli/main.ts", import.meta.url));

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export function startEverstep(
  args: readonly string[],
  { env = {}, cwd }: CommandOptions = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const { DATABASE_URL: _, REDIS_URL: __, ...inherited } = process.env;
  const node = ["--conditions=everstep-source", "--import", import.meta.resolve("tsx"), main];
  return spawn(process.execPath, [...node, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...inherited, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
}

export async function everstep(args: readonly string[], options: CommandOptions = {}) {
  const child = startEverstep(args, options);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { stdout, stderr, code: code as number | null };
}
