// The command line as its users meet it: a process with output, errors and an exit code.

import { readFileSync } from "node:fs";
import pg from "pg";
import { expect, test } from "vitest";
import { everstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { freePort } from "../support/private-server.ts";

async function tablesOf(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("select count(*)::int as count from pg_tables where schemaname = 'everstep'");
  await client.end();
  return rows[0]?.count;
}

test("--version prints the package's version", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(await everstep(["--version"])).toEqual({ stdout: `${version}\n`, stderr: "", code: 0 });
});

test("migrate makes the schema, and says so when there is nothing left to do", async () => {
  const { url } = await createDatabase({ isEmpty: true });
  expect(await tablesOf(url)).toBe(0);

  const first = await everstep(["migrate", "--database", url]);
  expect(first).toEqual({ stdout: expect.stringMatching(/: applied 0001_core.*\.\n$/), stderr: "", code: 0 });
  expect(await tablesOf(url)).toBeGreaterThan(3);

  const second = await everstep(["migrate"], { env: { DATABASE_URL: url } });
  expect(second).toEqual({ stdout: `${url} is up to date.\n`, stderr: "", code: 0 });
});

test("migrate run by three processes at once succeeds in each", async () => {
  const { url } = await createDatabase({ isEmpty: true });
  const runs = await Promise.all([1, 2, 3].map(() => everstep(["migrate", "--database", url])));
  expect(runs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(Array(3).fill({ code: 0, stderr: "" }));
  expect(runs.filter(({ stdout }) => stdout.includes("applied"))).toHaveLength(1);
});

test("a password is never printed", async () => {
  const { url } = await createDatabase();
  const secret = url.replace("postgres@", "postgres:hush@");
  const { stdout, stderr, code } = await everstep(["migrate", "--database", secret]);
  expect(code).toBe(0);
  expect(stdout).toContain("postgres:***@");
  expect(stdout + stderr).not.toContain("hush");
});

test.each([
  ["no database named", [], /^CONFIGURATION_INVALID: No database was named\. .*\n$/],
  ["another kind of URL", ["--database", "mysql://localhost/x"], /^CONFIGURATION_INVALID: .*postgres:\/\/.*\n$/],
])("with %s, migrate ends with one line and exit code 1", async (_, args, line) => {
  const { stdout, stderr, code } = await everstep(["migrate", ...args]);
  expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
  expect(stderr).toMatch(line);
});

test("an unreachable database is one line that names it and not its password", async () => {
  const port = await freePort();
  const url = `postgres://ann:hush@127.0.0.1:${port}/orders`;
  const { stderr, code } = await everstep(["migrate", "--database", url]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^STORE_UNAVAILABLE: .*\n$/);
  expect(stderr).toContain("127.0.0.1");
  expect(stderr).not.toContain("hush");
});

test("a command that does not exist is one error with a suggestion", async () => {
  const { stderr, code } = await everstep(["migrat"]);
  expect(code).toBe(1);
  expect(stderr).toBe("error: unknown command 'migrat'\n(Did you mean migrate?)\n");
});
