// What an editor shows for a name: types are inferred end to end, and people read them there. Asked of the compiler's own
// language server.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LanguageServer, type Place } from "../support/language-server.ts";
import { root } from "../support/pages.ts";

let server: LanguageServer;
beforeAll(async () => {
  server = await LanguageServer.open();
});
afterAll(() => server[Symbol.asyncDispose]());

/** On one line. */
async function shown(place: Place): Promise<string> {
  return (await server.hover(place)).replace(/\s*\n\s*/g, " ");
}

async function shownAll(file: string, names: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const name of names) all.push(await shown({ file, line: `const ${name} =`, name }));
  return all;
}

const SHIPPED = "{ receipt: Receipt; at: Date; }";

/** By the name of the constant: what stands after its colon. */
const DEFINITIONS = {
  approve: "SignalDefinition<{ by: string; }, { by: string; }>",
  poke: "SignalDefinition<void, void>",
  checkedSignal: "SignalDefinition<{ name: string; count: string; }, { name: string; count: number; }>",
  status: 'QueryDefinition<"closed" | "open", void, void, "closed" | "open">',
  lines: "QueryDefinition<string[], { from: number; }, { from: number; }, string[]>",
  checkedQuery: "QueryDefinition<number, { name: string; }, { name: string; }, number>",
  addItem: "UpdateDefinition<number, { name: string; }, { name: string; }, number>",
  checkedUpdate:
    "UpdateDefinition<number, { name: string; count?: number | undefined; }, { name: string; count: number; }, number>",
  charge: "StepDefinition<Order, Receipt>",
  permits: "SemaphoreDefinition",
  attributes: 'AttributeSet<{ readonly customer: "keyword"; readonly amount: "double"; }>',
  order: `Workflow<Order, ${SHIPPED}>`,
  nightly: "Workflow<unknown, number>",
  checkedWorkflow: "Workflow<{ owner: string; since: string; }, number>",
  cart:
    "Entity<{ add: (state: CartState, item: Order) => Promise<number>; " +
    "discount: CheckedOperation<CartState, StandardSchema<{ percent: unknown; }, { percent: number; }>, number>; " +
    "clear: (state: CartState) => undefined; }, { total: (state: CartState) => number; }>",
};

const IN_WORKFLOWS = {
  receipt: "Receipt",
  inline: "{ chargeId: string; cents: number; }",
  written: "{ rows: Receipt[]; rowCount: number | null; }",
  decision: "{ by: string; } | undefined",
  mapped: "Receipt[]",
  tolerated: "ItemOutcome<Receipt>[]",
  both: "[Receipt, string]",
  bothTolerated: "[ItemOutcome<Receipt>, ItemOutcome<string>]",
  child: `ChildRun<${SHIPPED}>`,
  childResult: SHIPPED,
  hook: "Webhook<WebhookDelivery>",
  checkedHook: "Webhook<{ paid: number; }>",
  delivery: "WebhookDelivery",
  first:
    '{ readonly winner: "approve"; readonly value: { by: string; }; } | ' +
    '{ readonly winner: "checkedHook"; readonly value: { paid: number; }; } | ' +
    `{ readonly winner: "child"; readonly value: ${SHIPPED}; }`,
  firstInTime:
    '{ readonly winner: "approve"; readonly value: { by: string; }; } | ' +
    '{ readonly winner: "poke"; readonly value: void; } | undefined',
  raced:
    '{ readonly winner: "charged"; readonly value: Receipt; } | { readonly winner: "late"; readonly value: "late"; }',
  polled: "{ done: boolean; }",
  locked: "{ fencingToken: number; inline: { chargeId: string; cents: number; }; }",
  undone: "Receipt",
  scope: "CancellableScope",
  other: "ExternalRun",
  told:
    "{ readonly add: (input: Order) => Promise<void>; readonly discount: (input: { percent: unknown; }) => Promise<void>; " +
    "readonly clear: (input?: undefined) => Promise<void>; }",
  found: "{ readonly customer?: string; readonly amount?: number; }",
};

const IN_CALLERS = {
  run: `RunHandle<${SHIPPED}>`,
  result: SHIPPED,
  answer: '"closed" | "open"',
  answerLines: "string[]",
  answerFound: "number",
  updated: "number",
  updateHandle: "UpdateHandle<number>",
  checkedRun: "RunHandle<number>",
  handle: `RunHandle<${SHIPPED}>`,
  mine:
    "{ readonly add: (input: Order, options?: OperationOptions | undefined) => Promise<number>; " +
    "readonly discount: (input: { percent: unknown; }, options?: OperationOptions | undefined) => Promise<number>; " +
    "readonly clear: (input?: undefined, options?: OperationOptions | undefined) => Promise<undefined>; } & " +
    "{ readonly total: (input?: undefined, options?: QueryOptions | undefined) => Promise<number>; }",
  added: "number",
  total: "number",
  described: "RunDescription",
  listed: "RunPage",
  everstep: "Embedded",
  worker: "Worker",
  environment: "TestEnvironment",
  mocked: "StepMock<Order>",
};

const FILE = "test/types/hovered.ts";

test.each([
  ["definitions", DEFINITIONS],
  ["what workflow code gets", IN_WORKFLOWS],
  ["what callers get", IN_CALLERS],
])("types of %s are shown as people would write them", async (_, expected) => {
  const names = Object.keys(expected);
  expect(await shownAll(FILE, names)).toEqual(Object.entries(expected).map(([name, type]) => `const ${name}: ${type}`));
});

test("calls are shown with the types of what they are given, by their names", async () => {
  const call = async (line: string, name: string) => shown({ file: FILE, line, name });
  expect(await call("await charge(input)", "charge")).toBe(
    "const charge: (input: Order, options?: StepOptions) => Promise<Receipt>",
  );
  expect(await call("mine.add(", "add")).toBe(
    "(property) add: (input: Order, options?: OperationOptions | undefined) => Promise<number>",
  );
  expect(await call("await map([input]", "map")).toBe(
    "(alias) function map<Order, Receipt>(items: Iterable<Order>, each: (item: Order, index: number) => Promise<Receipt> | Receipt, options?: BatchOptions): Promise<Receipt[]>",
  );
  expect(await call("await client.start(order", "start")).toContain("options: StartOptions<NoInfer<Order>>");
});

test("of the examples every name is shown whole: none too long to read, none by the types it was made with", async () => {
  const files = readdirSync(`${root}/examples`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => `examples/${name.replaceAll("\\", "/")}`);
  let count = 0;
  for (const file of [...files, FILE]) {
    for (const [line, name = ""] of readFileSync(`${root}/${file}`, "utf8").matchAll(/const (\w+) =/g)) {
      const text = await shown({ file, line, name });
      count++;
      // The whole of a workflow that returns all there is, is as long as that.
      if (name === "everything") continue;
      expect(text.length, text).toBeLessThanOrEqual(420);
      expect(text, file).not.toMatch(
        /\.\.\.(?! *\w+:)|Simplify|Prettify|Awaited<|ReturnType<|Schema(?:Input|Output)<|\bany\b/,
      );
    }
  }
  expect(count).toBeGreaterThan(100);
});
