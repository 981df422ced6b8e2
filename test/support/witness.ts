// What steps really did, seen from outside: each writes a line to a file of the test's, in one write, past everything
// that Everstep keeps. Steps find the file by an environment variable of their process, or by `witnessTo`.

import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One execution of a step's function, or of a part of it. */
export interface Testimony {
  readonly what: string;
  readonly run: string;
  readonly pid: number;
  /** Wall time of this machine, for order within one process only. */
  readonly at: number;
  readonly value?: unknown;
}

const VARIABLE = "EVERSTEP_TEST_WITNESS";

export interface Witness {
  /** To be given to worker processes. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything seen so far, oldest first. */
  readonly all: (what?: string) => Testimony[];
  /** Lets steps that wait at this gate pass. */
  readonly open: (gate: string) => void;
  readonly remove: () => void;
}

export function openWitness(): Witness {
  const dir = mkdtempSync(join(tmpdir(), "everstep-witness-"));
  const file = join(dir, "seen");
  writeFileSync(file, "");
  return {
    env: { [VARIABLE]: dir },
    all(what) {
      // A line without its end is being written by a process that was stopped in the middle.
      const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
      const seen = lines.map((line) => JSON.parse(line) as Testimony);
      return what === undefined ? seen : seen.filter((testimony) => testimony.what === what);
    },
    open: (gate) => writeFileSync(join(dir, `gate-${gate}`), ""),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** In a step: says that this was done. */
export function testify(what: string, run: string, value?: unknown): void {
  const testimony: Testimony = { what, run, pid: process.pid, at: Date.now(), value };
  appendFileSync(join(witnessDir(), "seen"), `${JSON.stringify(testimony)}\n`);
}

/** In a step: whether the test has opened this gate. */
export function isGateOpen(gate: string): boolean {
  return existsSync(join(witnessDir(), `gate-${gate}`));
}

function witnessDir(): string {
  const dir = process.env[VARIABLE];
  if (dir === undefined) throw new Error(`${VARIABLE} is not set: the process was started without a witness.`);
  return dir;
}
