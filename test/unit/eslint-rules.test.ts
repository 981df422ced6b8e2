// The lint rules, on code as people write it: what they tell, where, and what they leave alone.

import { existsSync, readdirSync, readFileSync } from "node:fs";
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
  defineSignal, defineQuery, defineStep, workflowInfo, log } from "everstep";
import { readFile } from "node:fs/promises";
import * as fs from "fs";
import http from "node:http";
import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { hrtime } from "node:process";
import * as path from "node:path";
const approve = defineSignal("approve");
const status = defineQuery("status");
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
    void step("d", () => {});
    return charge(input);`,
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

  test("the examples have nothing to be told of", () => {
    const folders = readdirSync(`${root}/examples`).filter((name) =>
      existsSync(`${root}/examples/${name}/workflow.ts`),
    );
    expect(folders.length).toBeGreaterThan(5);
    for (const name of folders) {
      const file = `${root}/examples/${name}/workflow.ts`;
      expect(lint(readFileSync(file, "utf8"), typescriptParser), file).toEqual([]);
    }
  });
});

test("the plugin is a plain object with a rule for each name it recommends", () => {
  expect(Object.keys(recommended.rules)).toEqual(Object.keys(everstep.rules).map((name) => `everstep/${name}`));
  expect(recommended.plugins.everstep.rules).toBe(everstep.rules);
});
