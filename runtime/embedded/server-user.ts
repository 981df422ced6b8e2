// Postgres refuses to run as root, and in containers and CI we often are. There it runs as another user, which must be
// able to reach its binaries and data: what lies below a folder closed to it (a checkout in /root) is kept outside.
// Giving the server a capability to pass closed folders was ruled out: whoever may connect could read root's files.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Log } from "../world/world.ts";
import { executable, type PostgresBinaries } from "./binaries.ts";
import { readPostmaster } from "./postmaster-file.ts";

export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

export interface ServerPlace {
  readonly binaries: PostgresBinaries;
  /** Where the data really is; the folder exists, or its parent does and the server's user may fill it. */
  readonly dataDir: string;
  readonly user: ServerUser | undefined;
}

/** For root: whom the data belongs to, else the system's postgres user, else nobody. Undefined when we are not root. */
export function findServerUser(dataDir?: string): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (dataDir !== undefined && existsSync(join(dataDir, "PG_VERSION"))) {
    const { uid, gid } = statSync(dataDir);
    if (uid !== 0) return { uid, gid };
  }
  const entries = existsSync("/etc/passwd") ? readFileSync("/etc/passwd", "utf8").split("\n") : [];
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = entries.find((entry) => entry.startsWith(`${name}:`))?.split(":") ?? [];
    // macOS has a nobody of -2, which is no uid that can be switched to.
    if (uid !== undefined && gid !== undefined && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}

/** Finds a place for binaries and data that the server's user can reach, moving neither unless it must. */
export function choosePlace(binaries: PostgresBinaries, dataDir: string, log: Log): ServerPlace {
  mkdirSync(dirname(dataDir), { recursive: true });
  if (!existsSync(dataDir)) rmSync(dataDir, { force: true }); // a link whose target is gone
  const user = findServerUser(dataDir);
  if (user === undefined) return { binaries, dataDir, user };
  const place = { user, binaries: reachableBinaries(binaries, user), dataDir };
  const known = existsSync(dataDir) ? realpathSync(dataDir) : dataDir;
  const isUsable = canEnter(user, dirname(known)) || readPostmaster(known) !== undefined;
  return { ...place, dataDir: isUsable ? known : moveOut(dataDir, user, log) };
}

/** The folder the caller named becomes a link to the real one: it says where the data is, and removing it starts anew. */
function moveOut(dataDir: string, user: ServerUser, log: Log): string {
  const outside = join(mkdtempSync(join(outsideDir(), "data-")), "postgres");
  chmodSync(dirname(outside), 0o755);
  if (existsSync(dataDir)) {
    cpSync(realpathSync(dataDir), outside, { recursive: true, preserveTimestamps: true });
    renameSync(dataDir, `${dataDir}.moved-${basename(dirname(outside))}`);
  } else {
    mkdirSync(outside, { mode: 0o700 });
  }
  spawnSync("chown", ["-R", `${user.uid}:${user.gid}`, outside]);
  try {
    symlinkSync(outside, dataDir);
  } catch (error) {
    rmSync(dirname(outside), { recursive: true, force: true });
    if (existsSync(dataDir)) return realpathSync(dataDir); // another process has just moved it
    throw error;
  }
  log.warn(
    { dataDir, outside, uid: user.uid },
    "Postgres may not run as root, and the user it runs as cannot enter the data folder's parents: data is kept outside",
  );
  return outside;
}

function reachableBinaries(binaries: PostgresBinaries, user: ServerUser): PostgresBinaries {
  if (canRun(user, executable(binaries.rootDir, "postgres"))) return binaries;
  const copy = join(outsideDir(), `binaries-${binaries.version}`);
  if (!existsSync(copy)) {
    const draft = mkdtempSync(join(outsideDir(), "draft-"));
    cpSync(binaries.rootDir, draft, { recursive: true, verbatimSymlinks: true });
    chmodSync(draft, 0o755);
    try {
      renameSync(draft, copy);
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      if (!existsSync(copy)) throw error; // else another process has just made it
    }
  }
  return { ...binaries, rootDir: copy };
}

/** A folder of root's own that everyone may pass. */
function outsideDir(): string {
  for (const dir of ["/var/lib/everstep", join(tmpdir(), "everstep-root")]) {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
      return dir;
    } catch {
      // read-only here: try the next
    }
  }
  return tmpdir();
}

const canEnter = (user: ServerUser, dir: string): boolean => passes(user, 'cd "$1"', dir);
const canRun = (user: ServerUser, file: string): boolean => passes(user, 'test -x "$1"', file);

/** Asks as that user: modes, groups and access lists are the kernel's to judge. */
function passes(user: ServerUser, script: string, path: string): boolean {
  return spawnSync("/bin/sh", ["-c", script, "sh", path], { ...user, cwd: "/", stdio: "ignore" }).status === 0;
}
