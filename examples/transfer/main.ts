// The worker is killed between debit and credit, and a second worker does the transfer again: the money moved once.

import { fork } from "node:child_process";
import { once } from "node:events";
import { Client } from "everstep/client";
import { embedded } from "everstep/runtime";
import pg from "pg";
import { transfer } from "./workflow.ts";

const everstep = await embedded({ logLevel: "warn" }); // the database only: workers are processes of their own here
const env = { ...process.env, DATABASE_URL: everstep.databaseUrl };
const startWorker = (extra: NodeJS.ProcessEnv = {}) =>
  fork(new URL("worker.ts", import.meta.url), { env: { ...env, ...extra } });

const database = new pg.Client(everstep.databaseUrl);
const client = new Client({ database: everstep.databaseUrl });
await database.connect();

async function showAccounts(when: string): Promise<void> {
  const { rows } = await database.query<{ name: string; balance: number }>("select * from accounts order by name");
  console.log(`${when}: ${rows.map(({ name, balance }) => `${name} ${balance}`).join(", ")}`);
}

try {
  await database.query(`
    create table if not exists accounts (name text primary key, balance integer not null);
    insert into accounts values ('ann', 100), ('bob', 0) on conflict (name) do update set balance = excluded.balance`);
  await showAccounts("before");

  const doomed = startWorker({ CRASH_AFTER_DEBIT: "yes" });
  const run = await client.start(transfer, { input: { from: "ann", to: "bob", amount: 30 } });
  const [, signal] = await once(doomed, "exit");
  await showAccounts(`after the debit, worker ended by ${signal}`);

  const worker = startWorker();
  console.log("result:", await run.result());
  await showAccounts("after a second worker");

  worker.kill("SIGTERM");
  await once(worker, "exit");
} finally {
  await client.close();
  await database.end();
  await everstep.stop();
}
