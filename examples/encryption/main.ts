// A run begins under last month's key and goes on under this month's. The database sees neither name nor diagnosis.

import { Client } from "everstep/client";
import { embedded, Worker } from "everstep/runtime";
import pg from "pg";
import codecs, { lastMonth } from "./codecs.ts";
import { diagnosis, visit } from "./workflow.ts";

const everstep = await embedded({ logLevel: "warn" }); // the database only
const database = everstep.databaseUrl;
const connection = { database, redis: "", logLevel: "warn" } as const;
const client = new Client({ ...connection, codecs });
const clientBefore = new Client({ ...connection, codecs: lastMonth });
const onlooker = new pg.Client(database);
await onlooker.connect();

try {
  const before = new Worker({ ...connection, workflows: [visit], codecs: lastMonth });
  await before.start();
  const run = await clientBefore.start(visit, {
    input: { name: "Ann Ash", born: new Date("1980-02-29") },
  });
  while ((await run.describe()).events < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  await before.stop();

  const worker = new Worker({ ...connection, workflows: [visit], codecs });
  await worker.start();
  await client.get(visit, run.workflowId).signal(diagnosis, { text: "a cold" });
  console.log("result:", await client.get(visit, run.workflowId).result());

  const { rows } = await onlooker.query<{ payload: string }>(
    `select e.payload from everstep.event e join everstep.run r on r.run_id = e.run_id
     where r.workflow_id = $1 order by e.seq`,
    [run.workflowId],
  );
  for (const { payload } of rows) console.log(`${payload.slice(0, 44)}…`);
  const stored = rows.map(({ payload }) => payload).join();
  console.log(
    ["Ann", "1980", "cold"].some((word) => stored.includes(word)) ? "words are readable" : "no word is readable",
  );
  await worker.stop();
} finally {
  await onlooker.end();
  await client.close();
  await clientBefore.close();
  await everstep.stop();
}
