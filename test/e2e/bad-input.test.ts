// What people get wrong, and what they are told: the code is part of the interface, the message says what to do.

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineQuery, defineSignal, sleep, step, workflow } from "everstep";
import { Client } from "everstep/client";
import { Worker } from "everstep/runtime";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../support/databases.ts";
import { freePort } from "../support/private-server.ts";
import { startPrivatePostgres } from "../support/servers.ts";
import { setStage } from "../support/stage.ts";
import * as mistakes from "./workers/mistakes.ts";

const DONE = { code: 0, signal: null };
const { fine } = mistakes;

/**
 * What a worker and a client say of this database when they meet it. Only of one that is down does the client give up soon:
 * elsewhere a connection that takes long is none of the answer.
 */
async function meet(database: string, insistForMs = 15_000): Promise<{ worker: unknown; client: unknown }> {
  const connection = { database, redis: "", logLevel: "silent" } as const;
  const worker = new Worker({ ...connection, workflows: [fine] });
  const client = new Client({ ...connection, insistForMs });
  const caught = (error: unknown) => error;
  try {
    return { worker: await worker.start().catch(caught), client: await client.start(fine, { input: 1 }).catch(caught) };
  } finally {
    await Promise.all([worker.stop(), client.close()]);
  }
}

function at(url: string, change: (url: URL) => void): string {
  const changed = new URL(url);
  change(changed);
  return changed.href;
}

/** A server that knows passwords, in a world where most tests trust everybody. */
async function startGuardedPostgres(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "everstep-hba-"));
  const rules = join(dir, "pg_hba.conf");
  writeFileSync(rules, "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
  chmodSync(dir, 0o755);
  chmodSync(rules, 0o644);
  const postgres = await startPrivatePostgres({ settings: { hba_file: rules } });
  onTestFinished(async () => {
    await postgres.remove();
    rmSync(dir, { recursive: true, force: true });
  });
  const stage = await setStage({ databaseUrl: postgres.url, redisUrl: null });
  await stage.ask("create role ann login password 'right'");
  return at(postgres.url, (url) => {
    url.username = "ann";
    url.password = "wr0ng-and-secret";
  });
}

const sharedDatabase = async () => (await createDatabase()).url;
const emptyDatabase = async () => (await createDatabase({ isEmpty: true })).url;

test.each([
  [
    "is down",
    "STORE_UNAVAILABLE",
    /127\.0\.0\.1:\d+ cannot be reached.*Check that it runs/,
    async () => `postgres://postgres@127.0.0.1:${await freePort()}/postgres`,
  ],
  ["refuses the password", "STORE_REFUSED", /refused user "ann".*Check the database URL/, startGuardedPostgres],
  [
    "does not exist",
    "STORE_REFUSED",
    /database "nowhere".*does not exist.*Check the database URL/,
    async () => at(await sharedDatabase(), (url) => void Object.assign(url, { pathname: "/nowhere" })),
  ],
  ["is not migrated", "SCHEMA_MISSING", /has no Everstep schema.*Run `everstep migrate`/, emptyDatabase],
] as const)("a database that %s: worker and client say %s", async (_, code, message, open) => {
  const said = await meet(await open(), code === "STORE_UNAVAILABLE" ? 200 : undefined);
  for (const error of [said.worker, said.client]) {
    expect(error).toMatchObject({ name: "EverstepError", code, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain("secret");
  }
});

test("a worker refuses a database of a newer release, and names what it does not know", async () => {
  const stage = await setStage();
  await stage.ask("insert into everstep.migration (name, run_on) values ('9999_tomorrow', now())");
  const { worker } = await meet(stage.databaseUrl);
  expect(worker).toMatchObject({
    code: "SCHEMA_AHEAD",
    message: expect.stringMatching(/9999_tomorrow.*Deploy that release/),
  });
});

test("a client says so when the database's schema is older than what it asks for", async () => {
  const stage = await setStage();
  // One that every start writes, whatever it starts with.
  await stage.ask("alter table everstep.open_run rename column wake_at to due_at");
  const { client } = await meet(stage.databaseUrl);
  expect(client).toMatchObject({
    code: "SCHEMA_BEHIND",
    message: expect.stringMatching(/older.*Run `everstep migrate`/),
  });
});

test("without the Redis that it was told of, a worker works, and warns once for each thing it misses", async () => {
  const { client, worker } = await setStage({ redisUrl: `redis://127.0.0.1:${await freePort()}` });
  const alone = await worker("mistakes.ts");
  const runs = await client.startMany(
    fine,
    [1, 2, 3].map((input) => ({ input })),
  );
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 2, 3]);
  expect(await alone.stats()).toMatchObject({ isTrusted: true });
  expect(await alone.stop()).toEqual(DONE);
  const warnings = alone.lines.filter(({ level }) => level === "warn").map(({ message }) => String(message));
  expect(warnings.sort()).toEqual([
    expect.stringMatching(/^The Redis of the leases does not answer/),
    expect.stringMatching(/^The Redis of the wake-ups cannot be reached/),
  ]);
});

test("options that cannot work are refused before anything is connected", () => {
  const database = "postgres://127.0.0.1:1/none";
  const invalid = (make: () => unknown, message: RegExp) =>
    expect(make).toThrow(
      expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringMatching(message) }),
    );
  invalid(() => new Worker({ database, workflows: [] }), /at least one workflow/);
  invalid(() => new Worker({ database, workflows: [fine, fine] }), /Two workflows are named "fine"/);
  invalid(() => new Worker({ database, workflows: [fine], maxSteps: 0 }), /maxSteps takes a positive number, got 0/);
  invalid(() => new Worker({ database, workflows: [fine], queues: [] }), /queues takes at least one queue name/);
  invalid(() => new Worker({ database, workflows: [fine], watchdog: { reportAfterMs: 10 } }), /watchdog takes/);
  invalid(() => new Client({ database: "" }), /No database is named/);
  invalid(() => new Client({ database, redis: "localhost:6379" }), /must look like redis:/);
});

test("calls that cannot be: each is refused with its code, and nothing is left behind", async () => {
  const { client, ask } = await setStage();
  const refused = (call: Promise<unknown>, code: string, message: RegExp) =>
    expect(call).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  const invalid = "ARGUMENT_INVALID";
  await refused(client.start(fine, { input: 1, id: "" }), invalid, /start\(\{ id \}\) must not be empty/);
  await refused(client.start(fine, { input: 1, id: "a\0b" }), invalid, /control character \(U\+0000 at position 1\)/);
  await refused(client.start(fine, { input: 1, id: "x".repeat(2_000) }), invalid, /2000 characters long; at most 1000/);
  await refused(client.start(fine, { input: 1, queue: "" }), invalid, /start\(\{ queue \}\) must not be empty/);
  await refused(
    client.start(fine, { input: 1, delay: -1 }),
    invalid,
    /start\(\{ delay \}\): -1 is not a length of time/,
  );
  await refused(client.start(fine, { input: 1, timeout: "5 parsecs" as "5s" }), invalid, /unknown unit "parsecs"/);
  await refused(client.list({ limit: 0 }), invalid, /from 1 to 200; got 0/);
  await refused(
    client.start(fine, { input: (() => 1) as unknown as number }),
    "PAYLOAD_UNSERIALIZABLE",
    /input.*function/,
  );
  const huge = "x".repeat(3_000_000) as unknown as number;
  await refused(client.start(fine, { input: huge }), "PAYLOAD_TOO_LARGE", /input of workflow "fine"/);
  expect(() => workflow("", async () => {})).toThrow(expect.objectContaining({ code: invalid }));
  expect(() => defineSignal("a\nb")).toThrow(expect.objectContaining({ code: invalid }));
  for (const outside of [() => step("lost", () => 1), () => sleep(1)]) {
    expect(outside).toThrow(
      expect.objectContaining({ code: "OUTSIDE_WORKFLOW", message: expect.stringMatching(/where no run is/) }),
    );
  }

  await refused(client.getUntyped("nobody").describe(), "RUN_NOT_FOUND", /no run nobody in this database/);
  await refused(client.getUntyped("nobody").signal(defineSignal("any")), "RUN_NOT_FOUND", /Check the id/);
  await refused(client.getUntyped("nobody", "not-an-id").result(), "RUN_NOT_FOUND", /no run not-an-id/);
  expect(await ask("select run_id from everstep.run")).toEqual([]);

  const run = await client.start(fine, { id: "once", input: 1 });
  await refused(
    client.start(fine, { id: "once", input: 1 }),
    "RUN_ALREADY_STARTED",
    /once is already open.*useExisting/,
  );
  await refused(run.result({ timeout: 10 }), "RUN_STILL_OPEN", /10 ms passed before run/);
  await run.terminate();
  await refused(run.signal(defineSignal("late")), "RUN_CLOSED", /is closed. It takes no signals any more/);
  await refused(run.cancel(), "RUN_CLOSED", /no cancel requests any more/);
  await refused(run.terminate(), "RUN_CLOSED", /cannot be terminated/);
  await refused(run.result(), "RUN_FAILED", /ended as terminated/);
  await refused(
    client.start(fine, { id: "once", input: 1, onReuse: "reject" }),
    "RUN_ALREADY_STARTED",
    /is terminated; onReuse "reject"/,
  );
});

test("a run in a queue that no worker serves says so, and so does a query of it", async () => {
  const { client } = await setStage();
  const run = await client.start(fine, { id: "unserved", queue: "nobodys", input: 1 });
  const described = await run.describe();
  expect(described).toMatchObject({ status: "running", ownerId: null, pending: null });
  expect(described.summary).toMatch(/^Due for .* s: it waits for a worker of queue "nobodys"\.$/);
  await expect(run.query(defineQuery("any"), undefined, { timeout: 200 })).rejects.toMatchObject({
    code: "QUERY_TIMED_OUT",
    message: expect.stringMatching(/Is a worker of queue "nobodys" running\?/),
  });
});

test("mistakes in workflow and step code cost their own run or attempt, and the process goes on", async () => {
  const { client, worker } = await setStage();
  const one = await worker("mistakes.ts");
  const failsWith = async (run: Promise<{ result(): Promise<unknown> }>, cause: object) =>
    expect((await run).result()).rejects.toMatchObject({ code: "RUN_FAILED", cause });
  const saying = (message: RegExp) => expect.stringMatching(message);

  await failsWith(client.start(mistakes.fetches), {
    message: saying(/called fetch\(\).*wrap it in step\("…", \(\) => fetch/),
  });
  await failsWith(client.start(mistakes.forgetsToAwait), { cause: { name: "TypeError", message: "nobody looks" } });
  await failsWith(client.start(mistakes.throwsAside), { name: "TypeError", message: "aside" });
  await failsWith(client.start(mistakes.stepInStep), { message: saying(/"inner" was called inside step "outer"/) });
  await failsWith(client.start(mistakes.unstorable, { input: "step" }), {
    message: saying(/order\.lines\[1\]\.price/),
  });
  await failsWith(client.start(mistakes.unstorable, { input: "result" }), {
    message: saying(/order\.lines\[1\]\.price/),
  });
  await failsWith(client.start(mistakes.tooLarge), { message: saying(/result of step "makes"/) });
  for (const which of ["rejection", "callback", "event", "microtask"] as const) {
    const run = await client.start(mistakes.mishap, { input: which });
    expect(await run.result(), which).toBe(2);
  }

  const open = await client.start(mistakes.answers, { id: "open" });
  await expect(open.query(defineQuery("unheard-of"))).rejects.toMatchObject({
    code: "QUERY_UNKNOWN",
    message: saying(/unheard-of/),
  });
  // A signal that nobody receives is kept, not refused.
  await open.signal(defineSignal("unheard-of"));
  expect(await open.query(mistakes.known)).toBe("yes");
  const foreign = await client.start(workflow("foreign", async () => {}));
  await expect
    .poll(() => foreign.describe(), { timeout: 30_000 })
    .toMatchObject({
      status: "blocked",
      blocked: {
        kind: "unknownWorkflow",
        message: saying(/"foreign", which this worker does not have \(it has: .*"fine"/),
      },
    });

  expect(await (await client.start(fine, { input: 7 })).result()).toBe(7);
  expect(one.isRunning()).toBe(true);
  expect(await one.stop()).toEqual(DONE);
});
