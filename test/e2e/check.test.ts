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

test("a deploy that drops a workflow is stopped while it has open runs, which are named", async () => {
  const { stdout, stderr, code: exit } = await check(code("renamed"), "--closed", "100");
  expect({ stderr, exit }).toEqual({ stderr: "", exit: 1 });
  expect(stdout.split("\n")).toEqual([
    "changing: 2 histories need this code, which the files do not export (new, old).",
    "",
    "0 histories checked (renamed): 0 fit, 0 differ. 2 of code that is not there.",
    "",
  ]);
});

test("of many runs the first are named, and as JSON they are a line", async () => {
  const { url } = await createDatabase();
  const client = new Client({ database: url });
  onTestFinished(() => client.close());
  await client.startMany(
    changing("original"),
    Array.from({ length: 7 }, (_, index) => ({ id: `run-${index}` })),
  );
  const { stdout: text } = await check(code("renamed"), "--database", url);
  expect(text).toMatch(/^changing: 7 histories need this code, .* \(first: run-\d(, run-\d){4}\)\.$/m);
  const { stdout, code: exit } = await check(code("renamed"), "--database", url, "--json");
  const lines = stdout.trimEnd().split("\n");
  expect(exit).toBe(1);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { missing: "changing", workflow: "changing", version: null, histories: 7, first: expect.any(Array) },
    { fit: 0, differ: 0, missing: 7, skipped: 0 },
  ]);
});

test("what is deployed elsewhere is left out: by name, or all the rest", async () => {
  const passes = { stdout: "0 histories checked (renamed): 0 fit, 0 differ.\n", stderr: "", code: 0 };
  expect(await check(code("renamed"), "--ignore-workflow", "a", "--ignore-workflow", "changing")).toEqual(passes);
  expect(await check(code("renamed"), "--allow-missing-workflows")).toEqual(passes);
  for (const source of [[], ["--histories", folder]]) {
    const { stderr, code: exit } = await check(code("renamed"), "--ignore-workflow", "renamed", ...source);
    expect({ stderr, exit }).toEqual({ stderr: expect.stringContaining("said to be elsewhere"), exit: 1 });
  }
});

test("histories of workflows that the files do not export stop it as well, unless they are said to be elsewhere", async () => {
  const { stdout, code: exit } = await everstep(["check", code("renamed"), "--histories", folder]);
  expect(exit).toBe(1);
  expect(stdout).toMatch(/^changing: \d histories need this code, which the files do not export \(/);
  expect(stdout).toMatch(/0 histories checked \(renamed\): 0 fit, 0 differ\. \d of code that is not there\.\n$/);
  const ignored = await everstep([
    ...["check", code("renamed"), "--histories", folder],
    ...["--ignore-workflow", "changing"],
  ]);
  expect(ignored.code).toBe(0);
  expect(ignored.stdout).toMatch(
    /^0 histories checked \(renamed\): 0 fit, 0 differ\. \d skipped, of other workflows\.\n$/,
  );
});

test("an exported entity is the workflow of its runs", async () => {
  const { url } = await createDatabase();
  const client = new Client({ database: url });
  onTestFinished(() => client.close());
  const { cart } = await import("../../examples/cart/cart.ts");
  const worker = new Worker({ workflows: [cart.workflow], database: url, logLevel: "silent" });
  await worker.start();
  await client.entity(cart, "ann").add({ name: "lamp", count: 2 });
  await worker.stop();
  const file = new URL("../../examples/cart/cart.ts", import.meta.url).pathname;
  expect(await check(file, "--database", url)).toEqual({
    stdout: "1 history checked (cart): 1 fit, 0 differ.\n",
    stderr: "",
    code: 0,
  });
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
