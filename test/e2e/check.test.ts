// `everstep check` and `everstep patches` on a database that old code has filled: the gate opens for code that fits.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "everstep/client";
import { Worker } from "everstep/runtime";
import { collectHistory } from "everstep/testing";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { everstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { changing, go } from "./workers/changing.ts";

let database: string;
let folder: string;
const runIds: string[] = [];

const code = (name: string) => new URL(`./workers/changing-${name}.ts`, import.meta.url).pathname;

beforeAll(async () => {
  ({ url: database } = await createDatabase());
  folder = mkdtempSync(join(tmpdir(), "everstep-check-"));
  const client = new Client({ database });
  try {
    // One run of the code as it was, one of the code as it was changed; a third one of it is closed.
    for (const [workflow, id] of [
      [changing("original"), "old"],
      [changing("patched"), "new"],
      [changing("patched"), "through"],
    ] as const) {
      const worker = new Worker({ workflows: [workflow], database, logLevel: "silent" });
      await worker.start();
      const run = await client.start(workflow, { id });
      if (id === "through") await run.signal(go);
      await eventually(`${id} has come far enough`, async () => {
        const { events } = await collectHistory(run);
        return id === "through" ? events.at(-1)?.type === "RunCompleted" : events.length >= (id === "new" ? 5 : 3);
      });
      writeFileSync(join(folder, `${id}.json`), JSON.stringify(await collectHistory(run)));
      runIds.push(run.runId ?? "");
      await worker.stop();
    }
  } finally {
    await client.close();
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const check = (...args: string[]) => everstep(["check", ...args], { env: { DATABASE_URL: database } });

test("code with both ways fits the runs of both kinds", async () => {
  expect(await check(code("patched"))).toEqual({
    stdout: "2 histories checked (changing): 2 fit, 0 differ.\n",
    stderr: "",
    code: 0,
  });
});

test("code that has lost the old way is stopped, and says which run needs it and why", async () => {
  const { stdout, stderr, code: exit } = await check(code("deprecated"));
  expect({ stderr, exit }).toEqual({ stderr: "", exit: 1 });
  expect(stdout).toContain(
    'DIVERGENCE: Run old replayed differently. Event 3 is StepCompleted("charge") for command 2',
  );
  expect(stdout).toContain('the code asked for RunStep("authorize") as command 2 (at ');
  expect(stdout.trimEnd().split("\n").at(-1)).toBe("2 histories checked (changing): 1 fit, 1 differ.");
});

test("closed runs count when asked for", async () => {
  const { stdout, code: exit } = await check(code("original"), "--closed", "100");
  expect(exit).toBe(1);
  expect(stdout).toMatch(/Run through replayed differently\. Event \d is PatchMarked\("split-charge"\)/);
  expect(stdout).toContain("3 histories checked (changing): 1 fit, 2 differ.");
});

test("as JSON, each difference is a line, and the last line counts", async () => {
  const { stdout, code: exit } = await check(code("deprecated"), "--json");
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(exit).toBe(1);
  expect(lines).toEqual([
    {
      workflow: "changing",
      workflowId: "old",
      runId: runIds[0],
      version: null,
      events: 3,
      code: "DIVERGENCE",
      message: expect.stringContaining("Event 3 is"),
      details: expect.objectContaining({ seq: 3, recorded: 'StepCompleted("charge") for command 2' }),
    },
    { fit: 1, differ: 1, missing: 0, skipped: 0 },
  ]);
});

test("histories are checked from a folder, as they were collected or as history --json printed them", async () => {
  const { stdout: printed } = await everstep(["history", "old", "--json"], { env: { DATABASE_URL: database } });
  mkdirSync(join(folder, "printed"), { recursive: true });
  writeFileSync(join(folder, "printed", "old.jsonl"), printed);
  const { stdout, stderr, code: exit } = await everstep(["check", code("deprecated"), "--histories", folder]);
  expect({ stderr, exit }).toEqual({ stderr: "", exit: 1 });
  expect(stdout).toContain("Run old replayed differently");
  expect(stdout).toContain("Run old.jsonl replayed differently");
  expect(stdout).toContain("4 histories checked (changing): 2 fit, 2 differ.");
});

test("files of other workflows are skipped, and said to be", async () => {
  const { stdout, code: exit } = await everstep(["check", code("renamed"), "--histories", folder]);
  expect(exit).toBe(0);
  expect(stdout).toMatch(/^0 histories checked \(renamed\): 0 fit, 0 differ\. \d skipped, of other workflows\.\n$/);
});

test.each([
  ["a folder that is not there", () => ["--histories", join(folder, "nowhere")], /There is no folder/],
  ["a folder without histories", () => ["--histories", emptyFolder()], /There is no \.json or \.jsonl file/],
  ["a file that is no history", () => ["--histories", folderWith("{}")], /x\.json holds no history/],
  ["runs chosen from a folder", () => ["--histories", folder, "--closed", "3"], /--queue and --closed/],
])("%s is one line on standard error, and no pass", async (_, options, says) => {
  const { stdout, stderr, code: exit } = await everstep(["check", code("patched"), ...options()]);
  expect({ stdout, exit, lines: stderr.trimEnd().split("\n").length }).toEqual({ stdout: "", exit: 1, lines: 1 });
  expect(stderr).toMatch(says);
});

function emptyFolder(): string {
  const empty = mkdtempSync(join(tmpdir(), "everstep-empty-"));
  onTestFinished(() => rmSync(empty, { recursive: true, force: true }));
  return empty;
}

function folderWith(text: string): string {
  const made = emptyFolder();
  writeFileSync(join(made, "x.json"), text);
  return made;
}

test("patches are counted over the open runs of each workflow", async () => {
  const { stdout, code: exit } = await everstep(["patches"], { env: { DATABASE_URL: database } });
  expect(exit).toBe(0);
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/)),
  ).toEqual([
    ["WORKFLOW", "PATCH", "OPEN", "PATCHED", "DEPRECATED", "UNMARKED"],
    ["changing", "split-charge", "2", "1", "0", "1"],
  ]);
});

test("the runs that lack a mark are listed", async () => {
  const list = ["patches", "--workflow", "changing", "--patch", "split-charge"];
  const { stdout } = await everstep(list, { env: { DATABASE_URL: database } });
  expect(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ +/).filter((_, column) => column !== 3)),
  ).toEqual([
    ["patched", "running", "changing", "new"],
    ["unmarked", "running", "changing", "old"],
  ]);
});
