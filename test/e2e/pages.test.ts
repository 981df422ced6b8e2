// What the pages tell people to run, run: the README's example in processes of its own, and the SQL for operators.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { createDatabase } from "../support/databases.ts";
import { codeBlocksOf, type Page, root } from "../support/pages.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const readPage = (path: string): Page => ({ path, text: readFileSync(join(root, path), "utf8") });

describe("the README's example", () => {
  let dir: string;

  beforeAll(() => {
    mkdirSync(join(root, ".everstep"), { recursive: true });
    dir = mkdtempSync(join(root, ".everstep", "readme-"));
    for (const { file, code } of codeBlocksOf(readPage("README.md"))) {
      if (file !== undefined) writeFileSync(join(dir, file), code);
    }
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function run(file: string, databaseUrl: string): ChildProcess & { stdout: NonNullable<ChildProcess["stdout"]> } {
    const { REDIS_URL: _, ...inherited } = process.env;
    const args = ["--conditions=everstep-source", "--import", "tsx", join(dir, file)];
    const env = { ...inherited, DATABASE_URL: databaseUrl };
    return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env });
  }

  test("ships an order, and its worker stops when it is asked to", async () => {
    const { url } = await createDatabase();
    const worker = run("worker.ts", url);
    worker.stdout.resume();
    const workerEnded = once(worker, "exit");
    try {
      const client = run("client.ts", url);
      const [said, [code]] = await Promise.all([text(client.stdout), once(client, "exit")]);
      expect(code).toBe(0);
      expect(said).toMatch(
        /outcome: 'shipped',\s+receipt: '1250 cents, paid once under [0-9A-Z]{26}\/1',\s+label: 'label for a book',\s+by: 'ann'/,
      );
    } finally {
      worker.kill("SIGTERM");
    }
    expect(await workerEnded).toEqual([0, null]);
  });
});

describe("the SQL for operators", () => {
  const statements = codeBlocksOf(readPage("docs/operations.md"))
    .filter(({ language }) => language === "sql")
    .map(({ code }) => code);

  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  async function openDatabase() {
    const { url } = await createDatabase();
    const store = openPostgresStore({ url }, { log: new RecordedLog() });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    closing.push(
      () => client.end(),
      () => store.close(),
    );
    return { store, client };
  }

  test("is all accepted by a migrated database", async () => {
    const { client } = await openDatabase();
    expect(statements.length).toBeGreaterThan(5);
    for (const sql of statements) await expect(client.query(sql), sql).resolves.toBeDefined();
  });
});
