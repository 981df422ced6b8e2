// The lint rules, on code as people write it: what they tell, where, and what they leave alone.

import { readdirSync, readFileSync } from "node:fs";
import { Linter } from "eslint";
import everstep from "everstep/eslint";
import { describe, expect, test } from "vitest";
import { root } from "../support/pages.ts";
import { typescriptParser } from "../support/typescript-parser.ts";

const linter = new Linter();
const { recommended } = everstep.configs;

/** What is told of the code, as `rule: source of the place: message`. */
function lint(source: string, parser?: Linter.Parser): { rule: string; place: string; message: string }[] {
  const config: Linter.Config[] = [
    { ...recommended, files: ["**/*.ts"], languageOptions: { sourceType: "module", ...(parser && { parser }) } },
  ];
  const lines = source.split("\n");
  return linter.verify(source, config, "order.ts").map(({ ruleId, message, line, column, endColumn }) => {
    if (ruleId === null) throw new Error(message);
    const place = (lines[line - 1] ?? "").slice(column - 1, (endColumn ?? column) - 1);
    return { rule: ruleId.replace("everstep/", ""), place, message };
  });
}

const IMPORTS = `
import { workflow, step, transaction, sleep, sleepUntil, condition, nonCancellable, patched, deprecatePatch,
  defineSignal, defineQuery, defineStep, workflowInfo, log, withLock, defineSemaphore, externalRun, startChild, cancelScope,
  saga, createWebhook, tellEntity, defineUpdate, note, setCurrentDetails, map, continueAsNew } from "everstep";
import axios, { isAxiosError } from "axios";
import { Pool, DatabaseError } from "pg";
import Redis from "ioredis";
import got from "got";
import postgres from "postgres";
import { S3Client } from "@aws-sdk/client-s3";
import { Client } from "everstep/client";
import { createInterface } from "node:readline";
import { readFile } from "node:fs/promises";
import * as fs from "fs";
import http from "node:http";
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { hrtime } from "node:process";
import * as path from "node:path";
const approve = defineSignal("approve");
const status = defineQuery("status");
const change = defineUpdate("change");
const permits = defineSemaphore("permits", { permits: 3 });
const pool = new Pool();
const api = axios.create();
const sql = postgres();
const lines = createInterface({});
const settings = fs.readFileSync("settings", "utf8");
const charge = defineStep("charge", async (input) => pay(input));
async function pay(input) { return fetch("https://pay.example", { body: input }); }
`;

const inBody = (body: string) => `${IMPORTS}export const order = workflow("order", async (input) => {\n${body}\n});`;
const rulesOf = (source: string) => lint(source).map(({ rule, place }) => `${rule}: ${place}`);

const told: Record<string, readonly [body: string, ...found: string[]]> = {
  "a precise clock": ["return process.hrtime.bigint();", "no-clock-or-chance: process.hrtime"],
  "an imported clock": ["return hrtime();", "no-clock-or-chance: hrtime"],
  "bytes of chance": ["return randomBytes(8);", "no-clock-or-chance: randomBytes"],
  "the environment": ["return process.env.REGION;", "no-clock-or-chance: process.env"],
  "an interval": ["setInterval(() => {}, 1000);", "no-clock-or-chance: setInterval"],
  "a request": ['return await fetch("https://a.example");', "no-io: fetch"],
  "a request by another name": ['return globalThis.fetch("https://a.example");', "no-io: globalThis.fetch"],
  "a file": ['return await readFile("a");', "no-io: readFile"],
  "a file of a namespace": ['return fs.readFileSync("a");', "no-io: fs.readFileSync"],
  "a server of a default import": ["return http.createServer();", "no-io: http.createServer"],
  "a timer that a restart forgets": ["await wait(1000);", "no-io: wait"],
  "a request in a callback": ["return Promise.all(input.map((url) => fetch(url)));", "no-io: fetch"],
  "a request in a signal's handler": ["approve.handle(async () => { await fetch('a'); });", "no-io: fetch"],
  "a step that nobody awaits": ['step("a", () => {});', 'no-floating: step("a", () => {});'],
  "a sleep that nobody awaits": ["sleep(5).then(() => done());", "no-floating: sleep(5).then(() => done());"],
  "a signal that nobody awaits": ["approve.receive();", "no-floating: approve.receive();"],
  "a defined step that nobody awaits": ["charge(input);", "no-floating: charge(input);"],
  "a lock that nobody awaits": ['withLock("a", () => {});', 'no-floating: withLock("a", () => {});'],
  "permits that nobody awaits": ["permits.with(() => {});", "no-floating: permits.with(() => {});"],
  "mail that nobody awaits": [
    'externalRun("a").signal(approve); const other = externalRun("b"); other.cancel();',
    'no-floating: externalRun("a").signal(approve);',
    "no-floating: other.cancel();",
  ],
  "mail to a child that nobody awaits": [
    "const child = startChild(order); child.signal(approve);",
    "no-floating: child.signal(approve);",
  ],
  "an operation that nobody awaits": ['tellEntity(cart, "a").add(1);', 'no-floating: tellEntity(cart, "a").add(1);'],
  "a scope that nobody awaits": [
    "const scope = cancelScope(); scope.run(async () => {}); scope.cancel();",
    "no-floating: scope.run(async () => {});",
  ],
  "an undoing that nobody awaits": ["const undo = saga(); undo.compensate();", "no-floating: undo.compensate();"],
  "a delivery that nobody awaits": [
    'const hook = await createWebhook("a"); hook.receive();',
    "no-floating: hook.receive();",
  ],
  "a step that is asked for on a condition": [
    'input && step("a", () => {});',
    'no-floating: input && step("a", () => {});',
  ],
  "a step that is asked for in one of two cases": [
    'input ? note("a") : sleep(5);',
    'no-floating: input ? note("a") : sleep(5);',
  ],
  "a function of the file that nobody awaits": [
    'async function ship() { await step("a", () => {}); }\nship();',
    "no-floating: ship();",
  ],
  "a function in place that nobody awaits": [
    '(async () => { await step("a", () => {}); })();',
    'no-floating: (async () => { await step("a", () => {}); })();',
  ],
  "branches that nobody awaits": [
    'Promise.all([step("a", () => {}), sleep(5)]);',
    'no-floating: Promise.all([step("a", () => {}), sleep(5)]);',
  ],
  "an async function for each": [
    "input.forEach(async (item) => {await charge(item)});",
    "no-floating: input.forEach(async (item) => {await charge(item)});",
  ],
  "a step for each": ["input.forEach((item) => charge(item));", "no-floating: input.forEach((item) => charge(item));"],
  "a statement of a transaction that nobody awaits": [
    'await transaction("a", async (tx) => { tx.query("a"); await tx.query("b"); });',
    'no-floating: tx.query("a");',
  ],
  "a package for requests": ['return axios.get("a");', 'no-io: axios.get("a")'],
  "a package's default": ['return await got("a").json();', 'no-io: got("a")'],
  "a client that a package made": ['return await api.post("a");', 'no-io: api.post("a")'],
  "a pool of connections": ['return await pool.query("a");', 'no-io: pool.query("a")'],
  "a tagged template that queries": ["return await sql`select 1`;", "no-io: sql`select 1`"],
  "a client that is made here": ["const redis = new Redis();", "no-io: new Redis()"],
  "a package of a scope": ["return new S3Client({}).send(1);", "no-io: new S3Client({})"],
  "a client of ours": ["const client = new Client();", "no-io: new Client()"],
  "what a module of Node made": ["lines.close();", "no-io: lines.close()"],
  "a package in a query": ['status.handle(() => axios.get("a"));', 'no-io: axios.get("a")'],
  "a lock in a step": [
    'await step("a", () => withLock("b", () => {}));',
    'no-nested-commands: withLock("b", () => {})',
  ],
  "a cancel in a step": [
    'const other = externalRun("b"); await step("a", () => other.cancel());',
    "no-nested-commands: other.cancel()",
  ],
  "a scope's cancel in a query": [
    "const scope = cancelScope(); status.handle(() => scope.cancel());",
    "no-nested-commands: scope.cancel()",
  ],
  "a note in a query": ['status.handle(() => note("a"));', 'no-nested-commands: note("a")'],
  "details in a predicate": [
    'await condition(() => setCurrentDetails("a"));',
    'no-nested-commands: setCurrentDetails("a")',
  ],
  "a note in a validator": [
    'change.handle(() => note("fine"), { validate: () => note("a") });',
    'no-nested-commands: note("a")',
  ],
  "a request in a validator": ["change.handle(() => 1, { validate(x) { fetch(x); } });", "no-io: fetch"],
  "going on as another run in a step": [
    'await step("a", () => continueAsNew(1));',
    "no-nested-commands: continueAsNew(1)",
  ],
  "going on by the workflow's own in a step": [
    'await step("a", () => order.continueAsNew(1));',
    "no-nested-commands: order.continueAsNew(1)",
  ],
  "a step in a step": [
    'await step("a", async () => { await step("b", () => {}); });',
    'no-nested-commands: step("b", () => {})',
  ],
  "a sleep in a step": ['await step("a", () => sleep(5));', "no-nested-commands: sleep(5)"],
  "a patch in a step": ['await step("a", () => patched("x"));', 'no-nested-commands: patched("x")'],
  "the workflow's log in a step": ['await step("a", () => log.info("x"));', 'no-nested-commands: log.info("x")'],
  "a step in a query": ['status.handle(() => step("a", () => {}));', 'no-nested-commands: step("a", () => {})'],
  "a patch in a predicate": ['await condition(() => patched("x"));', 'no-nested-commands: patched("x")'],
  "a request in a predicate": ["await condition(() => fetch('a') !== null);", "no-io: fetch"],
  "a module": ['const { a } = await import("./a.js");', 'no-dynamic-import: import("./a.js")'],
};

test.each(Object.entries(told))("%s is told, at its place, once", (_, [body, ...found]) => {
  expect(rulesOf(inBody(body))).toEqual(found);
});

const fine: Record<string, string> = {
  "what comes from the history":
    "return [Date.now(), new Date(), Math.random(), crypto.randomUUID(), performance.now()];",
  "what a guard makes deterministic":
    "crypto.getRandomValues(new Uint8Array(4)); return [randomUUID(), process.platform];",
  "I/O in a step":
    'return step("a", async ({ signal }) => [await fetch("a", { signal }), await readFile("b"), process.env.X]);',
  "I/O in a step that is a function of the file": 'return step("pay", pay);',
  "what is awaited, collected, caught or said to be meant": `
    await step("a", () => {});
    const both = [step("b", () => {}), sleep(5)];
    await Promise.all(both);
    step("c", () => {}).catch(() => {});
    step("c", () => {}).then(() => {}, () => {});
    void step("d", () => {});
    return charge(input);`,
  "mail, locks and scopes that are awaited": `
    await withLock("a", () => step("b", () => {}));
    await permits.with(() => charge(input), { timeout: "1m" });
    await Promise.all([externalRun("a").signal(approve), externalRun("a").cancel()]);
    const scope = cancelScope(); const both = scope.run(async () => {}); scope.cancel(); await both;
    await tellEntity(cart, "a").add(1);
    void externalRun("a").cancel();`,
  "a saga without a body, and what is added to one": `
    const undo = saga(); undo.add("a", () => step("b", () => {})); saga();
    await saga(async (own) => { own.add("a", () => {}); });`,
  "a child that is left to itself": "startChild(order);",
  "what only looks, in a query": "status.handle(() => [workflowInfo().runId, log.info('asked')]);",
  "packages in steps": `return step("a", async () => [await axios.get("a"), await pool.query("b"), await sql\`c\`, new Redis()]);`,
  "telling a package's errors apart":
    "try { await charge(input); } catch (error) { if (isAxiosError(error) || error instanceof DatabaseError) throw error; }",
  "data that a module of Node gave when the file was loaded": 'return settings.split("\\n");',
  "what has only the name of a thing taken out of it": "const { signal } = startChild(order); signal(approve);",
  "plain functions that nobody awaits":
    "function count() {}\ncount(); input.forEach((n) => count(n)); input.map(async (n) => n).length;",
  "what is made of itself": "const again = again.receive(); again.receive(); const other = other(); other();",
  "a module in a step": 'return step("a", async () => (await import("./a.js")).a);',
  "looking in queries and predicates": "status.handle(() => workflowInfo().runId); await condition(() => input.done);",
  "pure modules": 'return path.join("a", "b");',
  "names that only look alike": "const api = { fetch: (x) => x, process: 1 }; return [api.fetch(1), api.process];",
  "a parameter with a global's name": "return input.map((fetch) => fetch(1));",
};

test.each(Object.entries(fine))("%s: nothing is told", (_, body) => {
  expect(rulesOf(inBody(body))).toEqual([]);
});

describe("which code is workflow code", () => {
  test("functions of the file that a workflow calls, however far", () => {
    const source = `${IMPORTS}
      async function outer() { return inner(); }
      const inner = async () => fetch("a");
      const helper = { unused: () => fetch("b") };
      export const order = workflow("order", async () => outer());`;
    expect(rulesOf(source)).toEqual(["no-io: fetch"]);
  });

  test("functions that are named, not written in place", () => {
    const source = `${IMPORTS}
      async function main() { await fetch("a"); }
      export const order = workflow("order", main);`;
    expect(rulesOf(source)).toEqual(["no-io: fetch"]);
  });

  test("a property that has a function's name is not that function", () => {
    const source = `${IMPORTS}
      async function send() { return fetch("a"); }
      export const order = workflow("order", async (input) => { input.send(); return { send: 1 }; });`;
    expect(rulesOf(source)).toEqual([]);
  });

  test("operations of an entity and what it begins as, wherever they are written; its views only look", () => {
    const source = `import { createWebhook, endEntity, entity, operation, step } from "everstep";
      const initial = () => ({ items: [fetch("a")] });
      async function add(state, item) { await fetch("b"); await step("reserve", () => fetch("fine")); }
      export const cart = entity("cart", {
        initial,
        operations: {
          add,
          clear(state) { import("c"); endEntity(); },
          "check out": operation(schema, async (state) => { await step("end", () => endEntity()); fetch("d"); }),
        },
        views: { total: (state) => step("no", () => 1), ["hook"]: (state) => createWebhook("no") },
      });`;
    expect(rulesOf(source).sort()).toEqual([
      'no-dynamic-import: import("c")',
      "no-io: fetch",
      "no-io: fetch",
      "no-io: fetch",
      'no-nested-commands: createWebhook("no")',
      "no-nested-commands: endEntity()",
      'no-nested-commands: step("no", () => 1)',
    ]);
  });

  test("a poll asks as a step does, and is to be awaited like one", () => {
    const source = `import { poll, race, workflow } from "everstep";
      export const order = workflow("order", async () => {
        await poll("arrived", () => fetch("a"), { every: "1m" });
        race({ a: () => 1 });
      });`;
    expect(rulesOf(source)).toEqual(["no-floating: race({ a: () => 1 });"]);
  });

  test("functions that call each other are looked at once", () => {
    const source = `${IMPORTS}
      async function ping(n) { return n === 0 ? fetch("a") : pong(n - 1); }
      async function pong(n) { return ping(n); }
      export const order = workflow("order", async () => ping(3));`;
    expect(rulesOf(source)).toEqual(["no-io: fetch"]);
  });

  test("code around workflows is left alone", () => {
    const source = `${IMPORTS}
      export async function serve() { sleep; process.hrtime(); return fetch("a"); }
      export const order = workflow("order", async () => "done");`;
    expect(rulesOf(source)).toEqual([]);
  });

  test("functions of the same names from elsewhere are not ours", () => {
    const source = `
      import { workflow, step } from "elsewhere";
      export const order = workflow("order", async () => { step("a", () => fetch("a")); await fetch("b"); });`;
    expect(rulesOf(source)).toEqual([]);
  });

  test("ours by other names, and by way of a namespace, are ours", () => {
    const source = `
      import { workflow as define, step as run } from "everstep";
      import * as everstep from "everstep";
      export const a = define("a", async () => { run("x", () => {}); });
      export const b = everstep.workflow("b", async () => { await everstep.step("x", () => everstep.sleep(1)); });`;
    expect(rulesOf(source)).toEqual(['no-floating: run("x", () => {});', "no-nested-commands: everstep.sleep(1)"]);
  });
});

test("a message says what is wrong and what to write instead", () => {
  const messages = (body: string) => lint(inBody(body)).map(({ message }) => message);
  expect(messages('await fetch("a");')).toEqual([
    'fetch is called again at each replay of this workflow. Wrap it: await step("…", () => fetch(…)).',
  ]);
  expect(messages("return process.hrtime();")).toEqual([
    "process.hrtime gives another value at each replay of this workflow. Use Date.now().",
  ]);
  expect(messages("sleep(5);")).toEqual([
    "Nobody waits for this sleep(): when the workflow ends first it is taken back, and its failure ends the run. " +
      "Write await before it, collect it for Promise.all, or say with void that this is meant.",
  ]);
  expect(messages('externalRun("a").cancel();')).toEqual([
    "Nobody waits for this cancel(): the workflow goes on before the other run's mailbox has it, and its failure ends the " +
      "run. Write await before it, collect it for Promise.all, or say with void that this is meant.",
  ]);
  expect(messages('await transaction("a", async (tx) => { tx.query("b"); });')).toEqual([
    "Nobody waits for this query(): the transaction may end before it, and its failure is not the step's. Write await before it.",
  ]);
  expect(messages("input.forEach(async (x) => charge(x));")).toEqual([
    "forEach() drops the promises that its function gives: nobody waits for them. Use for … of with await, or await map(…).",
  ]);
  expect(messages("await pool.query('a');")).toEqual([
    'pool.query is called again at each replay of this workflow. Wrap it: await step("…", () => pool.query(…)).',
  ]);
});

describe("TypeScript", () => {
  test("types change nothing", () => {
    const source = `
      import { type Workflow, defineSignal, defineQuery, workflow, step } from "everstep";
      interface Order { readonly fetch: typeof fetch; readonly process: { env: string } }
      const approve = defineSignal<{ by: string }>("approve");
      const status = defineQuery<string>("status");
      export const order: Workflow<Order, number> = workflow("order", async (input: Order): Promise<number> => {
        status.handle((): string => (step<number>("a", () => 1) as unknown as string)!);
        (approve as typeof approve).receive();
        await step("b", (): Promise<Response> => fetch("a"));
        return (await fetch("c" as string)!.json()) as number satisfies number;
      });`;
    expect(lint(source, typescriptParser).map(({ rule, place }) => `${rule}: ${place}`)).toEqual([
      'no-nested-commands: step<number>("a", () => 1)',
      "no-floating: (approve as typeof approve).receive();",
      "no-io: fetch",
    ]);
  });

  test("the examples have nothing to be told of, their tests and what runs them included", () => {
    const files = readdirSync(`${root}/examples`, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    expect(files.filter((name) => name.endsWith("workflow.ts")).length).toBeGreaterThan(5);
    for (const name of files) {
      const file = `${root}/examples/${name}`;
      expect(lint(readFileSync(file, "utf8"), typescriptParser), file).toEqual([]);
    }
  });
});

test("the plugin is a plain object with a rule for each name it recommends", () => {
  expect(Object.keys(recommended.rules)).toEqual(Object.keys(everstep.rules).map((name) => `everstep/${name}`));
  expect(recommended.plugins.everstep.rules).toBe(everstep.rules);
});
