// A plan is made once and kept until a table that it reads is analyzed again, and nobody knows when that will be: while the
// tables are new, while they are full, or in the moment in which the last run has ended. It must be the plan that is right when
// all of them are full, whatever Postgres takes them for.

import { readdirSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { PLANS } from "../../runtime/store/postgres/connection.ts";
import { preparedStatements, type Statement } from "../../runtime/store/postgres/statements.ts";
import { createDatabase } from "../support/databases.ts";
import {
  type Index,
  type Indexes,
  type Plan,
  productsOfSets,
  scansOfWholeTables,
  sortsBeforeLimits,
} from "../support/plans.ts";
import { fillEveryTable } from "./store/filling.ts";

/** What may be complained of, and why it may. Everything else about the same statement is a complaint as ever. */
const EXCEPTIONS: Readonly<Record<string, readonly [of: RegExp, why: string]>> = {
  everstep_applied_migrations: [/migration/, "reads all migrations"],
  everstep_find_blocked: [/open_run_blocked/, "goes along an index that holds blocked runs alone"],
  everstep_find_expired: [
    /run_pkey|rule/,
    "goes through a page of runs in their order, and holds each against the few rules of retention",
  ],
  everstep_forget_heartbeats: [/step_heartbeat/, "sweeps through all heartbeats, which live no longer than their runs"],
  everstep_forget_queries: [/query/, "sweeps through all queries, which live for seconds"],
  everstep_forget_workers: [/worker/, "sweeps through all workers"],
  everstep_list_locks: [/lock_request/, "lists the locks of all keys, along their index"],
  everstep_overdue: [/open_run_deadline/, "goes along the index of deadlines, from the oldest on"],
  everstep_owner_ids: [/open_run_owned/, "begins at one end of the index of owners"],
  everstep_take_queries: [
    /sorted before a limit$|query/,
    "sorts the open queries of its queues, which live for seconds",
  ],
};

/** Takes a lock and reads nothing: there is no plan to explain. */
const WITHOUT_PLAN = new Set(["everstep_version_policy_alone"]);

const TABLES = [
  "run",
  "open_run",
  "event",
  "mail",
  "step_heartbeat",
  "start_request",
  "query",
  "worker",
  "run_data",
  "child",
  "errand",
  "lock_request",
  "workflow_version",
  "version_policy",
  "version_policy_change",
];

/** What stays of runs that have ended. */
const KEPT = new Set(["run", "event", "mail", "run_data", "start_request"]);

type Text = Pick<Statement, "name" | "text">;

let client: pg.Client;
let indexes: Indexes;
let statements: readonly Text[];

beforeAll(async () => {
  await loadStore();
  client = await openDatabase();
  indexes = await indexesOf(client);
  statements = [
    ...preparedStatements().filter(({ name }) => !WITHOUT_PLAN.has(name)),
    // Functions are planned like statements.
    ...(await functionsOf(client)),
  ];
});

afterAll(() => client.end());

/** Whatever prepares a statement, in whichever file, makes it known when it is loaded. */
async function loadStore(): Promise<void> {
  const folder = new URL("../../runtime/store/postgres/", import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));
  await Promise.all(files.map((file) => import(new URL(file, folder).href)));
}

async function openDatabase(): Promise<pg.Client> {
  const { url } = await createDatabase();
  const opened = new pg.Client({ connectionString: url, options: PLANS });
  await opened.connect();
  return opened;
}

describe("every statement finds its rows by the first column of an index", () => {
  test("in a new database, and in one that was analyzed while it was new", async () => {
    const fresh = await openNew();
    expect(await complaints(fresh)).toEqual([]);
    await fresh.query("analyze");
    expect(await complaints(fresh)).toEqual([]);
  });

  test.each([1, 20, 500, 20_000])(
    "with %i rows in every table, whichever of them are taken for empty",
    async (rows) => {
      const filled = await openNew();
      await fillEveryTable(filled, rows);
      await filled.query("analyze");
      const all: string[] = await complaints(filled);
      const look = async (told: string, tables: readonly string[]) => {
        await takingForEmpty(filled, tables, async () => {
          all.push(...(await complaints(filled)).map((complaint) => `${told}: ${complaint}`));
        });
      };
      await look("all taken for empty, the first that is known of them", TABLES);
      await filled.query("analyze");
      all.push(...(await complaints(filled)));
      await look("all taken for empty", TABLES);
      const open = TABLES.filter((table) => !KEPT.has(table));
      await look("all taken for empty but what is kept of closed runs", open);
      for (const table of TABLES) {
        await look(`${table} taken for empty`, [table]);
        const others = TABLES.filter((other) => other !== table);
        await look(`all taken for empty but ${table}`, others);
      }
      expect(all).toEqual([]);
    },
  );
});

describe("what would be complained of", () => {
  test.each(["everstep_append", "everstep_park"])("%s with equalities in the place of lookups", async (name) => {
    const { text } = statementOf(name);
    const equal = { name, text: text.replaceAll(/ = any\(array\[([\w.]+)\]\)/g, " = $1") };
    expect(equal.text).not.toBe(text);
    const fresh = await openNew();
    await fresh.query("analyze");
    expect(await complaintsAbout(fresh, equal)).toContain(`${name}: open_run_pkey (Index Scan)`);
  });

  test("a claim that may read its index as a bitmap", async () => {
    const filled = await openNew();
    await fillEveryTable(filled, 20_000);
    await filled.query("analyze");
    await filled.query("set enable_bitmapscan = on");
    await takingForEmpty(filled, ["open_run"], async () => {
      expect(await complaintsAbout(filled, statementOf("everstep_claim"))).toContain(
        "everstep_claim: open_run sorted before a limit",
      );
    });
  });

  test("sets that are held against each other row by row", async () => {
    const pairs = "select from unnest($1::int[]) a(n) join unnest($2::int[]) b(n) on a.n < b.n";
    expect(await complaintsAbout(client, { name: "pairs", text: pairs })).toEqual([
      "pairs: a loop over Function Scan for each row",
    ]);
    const asked = `select from unnest($1::int[]) a(n)
      where exists (select from unnest($2::int[]) b(n) where b.n = a.n offset 0)`;
    expect(await complaintsAbout(client, { name: "asked", text: asked })).toEqual([
      "asked: a subquery over Function Scan for each row",
    ]);
  });

  test("an index by another column than its first", async () => {
    const later = "select name from everstep.event where seq = $1";
    expect(await complaintsAbout(client, { name: "later", text: later })).toEqual([
      "later: event_pkey (Index Scan, (seq = $1))",
    ]);
  });

  test("every exception", async () => {
    const found: string[][] = [];
    for (const name of Object.keys(EXCEPTIONS)) found.push(await complaintsAbout(client, statementOf(name)));
    expect(found.filter((each) => each.length === 0)).toEqual([]);
  });
});

async function openNew(): Promise<pg.Client> {
  const fresh = await openDatabase();
  onTestFinished(() => fresh.end());
  return fresh;
}

function statementOf(name: string): Text {
  const found = statements.find((statement) => statement.name === name);
  if (found === undefined) throw new Error(`There is no statement ${name}.`);
  return found;
}

async function complaints(on: pg.Client): Promise<string[]> {
  const all: string[] = [];
  for (const statement of statements) {
    const [excepted] = EXCEPTIONS[statement.name] ?? [];
    const found = await complaintsAbout(on, statement);
    all.push(...found.filter((complaint) => excepted?.test(complaint.slice(statement.name.length)) !== true));
  }
  return all;
}

async function complaintsAbout(on: pg.Client, statement: Text): Promise<string[]> {
  const plan = await planOf(on, statement);
  const found = [...scansOfWholeTables(plan, indexes), ...sortsBeforeLimits(plan), ...productsOfSets(plan, indexes)];
  return found.map((complaint) => `${statement.name}: ${complaint}`);
}

/** The plan that a connection of the store keeps. */
async function planOf(on: pg.Client, { text }: Text): Promise<Plan> {
  const parameters = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)));
  const nulls = parameters === 0 ? "" : `(${Array.from({ length: parameters }, () => "null").join(", ")})`;
  await on.query(`prepare planned as ${text}`);
  const { rows } = await on.query(`explain (format json) execute planned${nulls}`);
  await on.query("deallocate planned");
  return rows[0]["QUERY PLAN"][0].Plan;
}

/**
 * As if these tables had been analyzed at a moment without rows, and had filled the pages that they have since. What analyze says
 * of the size of a table stays when its transaction does not.
 */
async function takingForEmpty(on: pg.Client, tables: readonly string[], work: () => Promise<void>): Promise<void> {
  await on.query("begin");
  for (const table of tables) await on.query(`delete from everstep.${table}; analyze everstep.${table}`);
  await on.query("rollback");
  const { rows } = await on.query<{ relname: string }>(`
    select relname from pg_class
    where relnamespace = 'everstep'::regnamespace and relkind = 'r' and reltuples = 0 and relpages > 0`);
  expect(rows.map(({ relname }) => relname).sort()).toEqual([...tables].sort());
  await work();
  for (const table of tables) await on.query(`analyze everstep.${table}`);
}

async function indexesOf(on: pg.Client): Promise<Indexes> {
  const { rows } = await on.query<{ name: string } & Index>(`
    select c.relname as name, pg_get_indexdef(i.indexrelid, 1, true) as leading,
      i.indisunique and i.indnkeyatts = 1 as "isUnique"
    from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace = 'everstep'::regnamespace`);
  return new Map(rows.map(({ name, ...index }) => [name, index]));
}

async function functionsOf(on: pg.Client): Promise<Text[]> {
  const { rows } = await on.query<{ name: string; text: string; args: string[]; types: string[] }>(`
    select proname as name, prosrc as text, proargnames as args, proargtypes::regtype[]::text[] as types
    from pg_proc where pronamespace = 'everstep'::regnamespace`);
  return rows.map(({ name, text, args, types }) => ({
    name,
    text: args.reduce((sql, arg, index) => sql.replaceAll(arg, `$${index + 1}::${types[index]}`), text),
  }));
}
