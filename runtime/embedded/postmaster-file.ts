// What a data folder says about its server: Postgres writes postmaster.pid when it starts, updates its last line as it
// gets ready or stops, and removes it at the end. After a SIGKILL the file stays, and the pid may be someone else's.

import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly status: "starting" | "ready" | "stopping";
}

/** The file's content while its process lives; undefined when there is no server. */
export function readPostmaster(dataDir: string): Postmaster | undefined {
  const lines = readLines(join(dataDir, "postmaster.pid"));
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  const word = lines[7]?.trim();
  const status = word === "ready" || word === "standby" ? "ready" : word === "stopping" ? "stopping" : "starting";
  return { pid, port: Number(lines[3] ?? 0), status };
}

/**
 * Removes a file that a dead server left and whose pid now belongs to another program. Postgres itself takes over a
 * file whose process is gone, but refuses when any process of the same user has the number: usual in containers.
 */
export function removeForeignPostmasterFile(dataDir: string): void {
  const postmaster = readPostmaster(dataDir);
  if (postmaster === undefined) return;
  const program = programOf(postmaster.pid);
  if (program !== undefined && !program.includes("postgres")) rmSync(join(dataDir, "postmaster.pid"), { force: true });
}

/** True when a Postgres answers on the port: one byte to the request for encryption, which needs no login. */
export function answersAsPostgres(port: number): Promise<boolean> {
  const encryptionRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 2_000 }, () => socket.write(encryptionRequest));
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (bytes: Buffer) => end(bytes[0] === 0x4e || bytes[0] === 0x53)); // N or S
    socket.once("timeout", () => end(false));
    socket.once("error", () => end(false));
    socket.once("close", () => end(false));
  });
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** The program's name, as far as the system tells. */
function programOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") return readFileSync(`/proc/${pid}/comm`, "utf8");
    if (process.platform === "win32") return undefined;
    return execFileSync("ps", ["-o", "comm=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return undefined;
  }
}
