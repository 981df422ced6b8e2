// `npm run demo` as its readers meet it: it must tell the story, be right about it, and leave nothing behind, also when
// it is interrupted or killed.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";

const main = fileURLToPath(new URL("../../examples/demo/main.ts", import.meta.url));

interface Demo {
  readonly process: ChildProcess;
  readonly lines: string[];
  /** Where it keeps what it needs while it runs. */
  readonly tmpDir: string;
  readonly ended: Promise<unknown>;
}

function startDemo(): Demo {
  const tmpDir = mkdtempSync(join(tmpdir(), "everstep-demo-test-"));
  chmodSync(tmpDir, 0o755);
  const child = spawn(process.execPath, ["--conditions=everstep-source", "--import", "tsx", main], {
    env: { ...process.env, TMPDIR: tmpDir },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(tmpDir, { recursive: true, force: true, maxRetries: 5 });
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  return { process: child, lines, tmpDir, ended: once(child, "close") };
}

/** The processes it started, as it named them, and its Postgres. */
async function expectNothingLeft({ lines }: Demo): Promise<void> {
  const pids = lines.flatMap((line) => /\(pid (\d+)\)/.exec(line)?.[1] ?? []).map(Number);
  expect(pids).toHaveLength(2);
  await eventually("its workers have ended", () => pids.every((pid) => !isAlive(pid)));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a worker is killed, another goes on, everything is as claimed, and nothing is left", async () => {
  const demo = startDemo();
  const [code] = (await demo.ended) as [number];
  const output = demo.lines.join("\n");
  expect(output).toMatch(/✗ worker [12] owns the run, and is killed with SIGKILL/);
  expect(output).toMatch(/✓ worker [12] took the run over after/);
  expect(output).toMatch(/100% of 40 batches/);
  expect(output).toMatch(/✓ completed: .*"flights":20000,"airports":220/);
  expect(demo.lines.filter((line) => line.startsWith("  ✓"))).toHaveLength(7);
  expect(output).not.toContain("NOT TRUE");
  expect(demo.lines.at(-1)).toBe("Everything held.");
  expect(output).not.toContain("\u001B"); // plain lines where there is no terminal
  expect(code).toBe(0);
  await expectNothingLeft(demo);
  expect(readdirSync(demo.tmpDir).filter((name) => name.startsWith("everstep-demo-"))).toEqual([]);
});

test.each(["SIGINT", "SIGTERM"] as const)("after %s in the middle nothing is left", async (signal) => {
  const demo = startDemo();
  await eventually("it is under way", () => demo.lines.some((line) => line.includes("10% of 40 batches")));
  demo.process.kill(signal);
  expect(await demo.ended).toEqual([130, null]);
  await expectNothingLeft(demo);
  expect(readdirSync(demo.tmpDir).filter((name) => name.startsWith("everstep-demo-"))).toEqual([]);
});

test("when the driver itself is killed, its workers and its Postgres end too", async () => {
  const demo = startDemo();
  await eventually("it is under way", () => demo.lines.some((line) => line.includes("10% of 40 batches")));
  demo.process.kill("SIGKILL");
  await demo.ended;
  await expectNothingLeft(demo);
  const [folder = ""] = readdirSync(demo.tmpDir).filter((name) => name.startsWith("everstep-demo-"));
  const postmaster = join(demo.tmpDir, folder, "postgres");
  await eventually("its Postgres has ended", () => !readdirSync(postmaster).includes("postmaster.pid"));
});
