// Codecs over Postgres: worker and client with real parts, transactions, and the command line with a module.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "everstep/client";
import { Worker } from "everstep/runtime";
import { expect, onTestFinished, test } from "vitest";
import { defineSignal, transaction, workflow } from "../../sdk/index.ts";
import { allCodecs, Fickle, KEYS } from "../support/codecs.ts";
import { everstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { setStage } from "../support/stage.ts";

const go = defineSignal<string>("go");
const SECRET = "4111-1111-1111-1111";

const book = workflow("book", async (card: string) => {
  const entries = await transaction("enter", async (tx) => {
    await tx.query("insert into entry values ($1)", [card.length]);
    return (await tx.query<{ count: string }>("select count(*) from entry")).rows[0]?.count;
  });
  return `${entries} ${card} ${await go.receive()}`;
});

test("a run over Postgres leaves no plain payload in any table, and its transaction happens once", async () => {
  const { databaseUrl, ask } = await setStage({ redisUrl: null });
  await ask("create table entry (length int)");
  const fickle = new Fickle();
  let failures = 2;
  fickle.behavior = ({ verb, text }) => (verb === "encode" && text === '"1"' && failures-- > 0 ? "throw" : undefined);
  const codecs = [fickle, ...allCodecs()];
  const options = { database: databaseUrl, redis: "", logLevel: "silent", codecs } as const;
  const worker = new Worker({ ...options, workflows: [book] });
  const client = new Client(options);
  onTestFinished(async () => {
    await client.close();
    await worker.stop();
  });
  await worker.start();
  const run = await client.start(book, { id: "book-1", input: SECRET });
  await client.get(book, "book-1").signal(go, SECRET);
  expect(await run.result()).toBe(`1 ${SECRET} ${SECRET}`);
  expect(failures).toBeLessThan(0);
  expect(await ask("select * from entry")).toEqual([{ length: SECRET.length }]);
  for (const table of ["event", "mail", "run", "open_run", "start_request", "step_heartbeat"]) {
    expect(JSON.stringify(await ask(`select * from everstep.${table}`))).not.toContain(SECRET);
  }
});

test("the command line takes codecs from a module", async () => {
  const { url } = await createDatabase();
  const folder = mkdtempSync(join(tmpdir(), "everstep-codecs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "codecs.ts");
  const place = import.meta.resolve("../../runtime/codecs/index.ts");
  const keys = `{ key: "${KEYS.new.toString("base64")}" }`;
  writeFileSync(
    file,
    `import { encryption } from "${place}";\nexport default [encryption({ keys: ${keys}, currentKeyId: "key" })];\n`,
  );
  const say = async (...args: string[]) => everstep([...args, "--database", url]);
  expect(await say("start", "hello", "--id", "h", "--input", '"Ann"', "--codecs", file)).toMatchObject({ code: 0 });
  const [sealed, open] = await Promise.all([say("history", "h"), say("history", "h", "--codecs", file)]);
  expect(sealed.stdout).not.toContain("Ann");
  expect(open.stdout).toContain('hello "Ann"');

  writeFileSync(join(folder, "none.ts"), "export const codecs = [];\n");
  const refused = await say("list", "--codecs", join(folder, "none.ts"));
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^CONFIGURATION_INVALID: .*no list of codecs/),
  });
});
