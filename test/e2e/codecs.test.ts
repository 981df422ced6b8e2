// Codecs over Postgres: worker and client with real parts, transactions, and the command line with a module.

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { Client } from "everstep/client";
import { encryption } from "everstep/codecs";
import { Worker } from "everstep/runtime";
import { expect, onTestFinished, test } from "vitest";
import { defineSignal, defineUpdate, PermanentError, step, transaction, workflow } from "../../sdk/index.ts";
import { allCodecs, Fickle, KEYS } from "../support/codecs.ts";
import { everstep, startEverstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { setStage } from "../support/stage.ts";

const go = defineSignal<string>("go");
const note = defineUpdate<string, string>("note");
const SECRET = "4111-1111-1111-1111";

const book = workflow("book", async (card: string) => {
  note.handle((text) => `noted ${text}`, {
    validate: (text) => {
      if (text.startsWith("no")) throw new RangeError(`${text} is refused`);
    },
  });
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
  expect(await run.update(note, SECRET, { updateId: "u" })).toBe(`noted ${SECRET}`);
  const refused = { code: "UPDATE_REJECTED", cause: { name: "RangeError", message: `no ${SECRET} is refused` } };
  await expect(run.update(note, `no ${SECRET}`)).rejects.toMatchObject(refused);
  await client.get(book, "book-1").signal(go, SECRET);
  expect(await run.result()).toBe(`1 ${SECRET} ${SECRET}`);
  expect(failures).toBeLessThan(0);
  expect(await ask("select * from entry")).toEqual([{ length: SECRET.length }]);
  for (const table of ["event", "mail", "run", "open_run", "start_request", "step_heartbeat", "run_data"]) {
    expect(JSON.stringify(await ask(`select * from everstep.${table}`))).not.toContain(SECRET);
  }
});

/** A folder with a module of codecs in it. */
function moduleOfCodecs(): { readonly folder: string; readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), "everstep-codecs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "codecs.ts");
  const place = import.meta.resolve("../../runtime/codecs/index.ts");
  const keys = `{ key: "${KEYS.new.toString("base64")}" }`;
  writeFileSync(
    file,
    `import { encryption } from "${place}";\nexport default [encryption({ keys: ${keys}, currentKeyId: "key" })];\n`,
  );
  return { folder, file };
}

test("an update from the command line reaches a worker from the command line, and no word of it is readable between them", async () => {
  const { url } = await createDatabase();
  const { file } = moduleOfCodecs();
  const basket = fileURLToPath(new URL("../../examples/basket/workflow.ts", import.meta.url));
  const worker = startEverstep(["worker", basket, "--codecs", file, "--database", url]);
  const [output, complaints] = [text(worker.stdout), text(worker.stderr)];
  onTestFinished(async () => {
    worker.kill("SIGTERM");
    expect(await once(worker, "exit")).toEqual([0, null]);
    expect(await output).toContain("worker stopped");
    await complaints;
  });
  const say = async (...args: string[]) => everstep([...args, "--database", url, "--codecs", file]);
  expect(await say("start", "basket", "--id", "b")).toMatchObject({ code: 0 });
  const lamp = ["update", "b", "addItem", "--input", '{"name":"lamp","count":2}', "--update-id", "u"];
  expect(JSON.parse((await say(...lamp)).stdout)).toEqual([{ name: "lamp", count: 2 }]);
  const sealed = await everstep([...lamp, "--database", url]);
  expect(sealed).toMatchObject({ stdout: "", code: 1, stderr: expect.stringMatching(/^PAYLOAD_UNREADABLE: /) });
  expect((await everstep(["history", "b", "--database", url])).stdout).not.toContain('"lamp"');
});

test("a run is forked, tried again and reset from the command line with its codecs, and with no others", async () => {
  const { url } = await createDatabase();
  const { file } = moduleOfCodecs();
  const say = async (...args: string[]) => everstep([...args, "--database", url]);
  const sealed = async (...args: string[]) => say(...args, "--codecs", file);
  let isMended = false;
  const sent = workflow("sent", async (text: string) =>
    step("print", () => {
      if (!isMended) throw new PermanentError("no paper");
      return text;
    }),
  );
  const codecs = [encryption({ keys: { key: KEYS.new }, currentKeyId: "key" })];
  const options = { database: url, redis: "", logLevel: "silent", codecs } as const;
  const worker = new Worker({ ...options, workflows: [sent] });
  const client = new Client(options);
  onTestFinished(async () => {
    await client.close();
    await worker.stop();
  });
  await worker.start();
  await expect((await client.start(sent, { id: "s", input: SECRET })).result()).rejects.toMatchObject({
    code: "RUN_FAILED",
  });
  isMended = true;
  const refused = { code: 1, stdout: "", stderr: expect.stringMatching(/^PAYLOAD_UNREADABLE: Run s is not forked/) };
  for (const command of [
    ["fork", "s", "--new-id", "copy"],
    ["reset", "s"],
    ["retry", "s"],
  ]) {
    expect(await say(...command)).toMatchObject(refused);
  }
  expect(await sealed("fork", "s", "--new-id", "copy", "--at", "1")).toMatchObject({ code: 0 });
  expect(await client.get(sent, "copy").result()).toBe(SECRET);
  expect(await sealed("retry", "s")).toMatchObject({ code: 0 });
  expect(await client.get(sent, "s").result()).toBe(SECRET);
  expect(await sealed("reset", "s", "--at", "1", "--input", '"another"')).toMatchObject({ code: 0 });
  expect(await client.get(sent, "s").result()).toBe("another");
});

test("the command line takes codecs from a module", async () => {
  const { url } = await createDatabase();
  const { folder, file } = moduleOfCodecs();
  const say = async (...args: string[]) => everstep([...args, "--database", url]);
  expect(await say("start", "hello", "--id", "h", "--input", '"Ann"', "--codecs", file)).toMatchObject({ code: 0 });
  const parts = (await say("export", "--id", "h", "--to", folder, "--codecs", file)).stdout.trim();
  expect(JSON.parse(readFileSync(parts, "utf8")).events[0]).toMatchObject({ payload: '"Ann"' });
  expect(await say("export", "--id", "h", "--to", folder)).toMatchObject({
    stdout: "",
    stderr: expect.stringMatching(/^PAYLOAD_UNREADABLE: Event 1 of run h .*give this process the same `codecs`/),
    code: 1,
  });
  const hello = fileURLToPath(new URL("../../examples/hello/workflow.ts", import.meta.url));
  expect(await say("check", hello, "--codecs", file)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1 fit/),
  });
  expect(await say("check", hello)).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^PAYLOAD_UNREADABLE: .*\n\n1 history checked \(hello\): 0 fit, 1 differ/),
  });
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
