// Names of every kind that the language has, for the test of what an editor shows of them. Nothing here is executed.

import { type } from "arktype";
import {
  cancelScope,
  createWebhook,
  defineAttributes,
  defineQuery,
  defineSemaphore,
  defineSignal,
  defineStep,
  defineUpdate,
  entity,
  executeChild,
  externalRun,
  map,
  operation,
  parallel,
  poll,
  race,
  saga,
  startChild,
  step,
  tellEntity,
  transaction,
  waitForAny,
  withLock,
  workflow,
  workflowInfo,
} from "everstep";
import type { Client } from "everstep/client";
import { embedded, Worker } from "everstep/runtime";
import { testEnvironment } from "everstep/testing";
import * as v from "valibot";
import { z } from "zod";

interface Order {
  readonly item: string;
  readonly total: number;
}
interface CartState {
  readonly items: Order[];
}
interface Receipt {
  readonly chargeId: string;
  readonly cents: number;
}

export const approve = defineSignal<{ by: string }>("approve");
export const poke = defineSignal("poke");
export const checkedSignal = defineSignal("checked", {
  schema: z.object({ name: z.string(), count: z.string().transform(Number) }),
});
export const status = defineQuery<"open" | "closed">("status");
export const lines = defineQuery<string[], { from: number }>("lines");
export const checkedQuery = defineQuery("find", { input: z.object({ name: z.string() }), output: z.number() });
export const addItem = defineUpdate<number, { name: string }>("addItem");
export const checkedUpdate = defineUpdate("change", {
  input: v.object({ name: v.string(), count: v.optional(v.number(), 1) }),
  output: v.number(),
});
export const charge = defineStep(
  "charge",
  async (order: Order): Promise<Receipt> => ({ chargeId: order.item, cents: 1 }),
);
export const permits = defineSemaphore("permits", { permits: 3 });
export const attributes = defineAttributes({ customer: "keyword", amount: "double" });

export const order = workflow("order", async (input: Order) => {
  const receipt = await charge(input);
  return { receipt, at: workflowInfo().startedAt };
});
export const nightly = workflow("nightly", async () => 42);
export const checkedWorkflow = workflow("checked", async (input) => input.since.getTime(), {
  input: type({ owner: "string", since: "string.date.iso.parse" }),
});

export const cart = entity("cart", {
  initial: (): CartState => ({ items: [] }),
  operations: {
    add: async (state, item: Order) => state.items.push(item),
    discount: operation(
      z.object({ percent: z.coerce.number() }),
      (state: CartState, { percent }) => state.items.length * percent,
    ),
    clear: (state) => void state.items.splice(0),
  },
  views: { total: (state) => state.items.length },
});

export const everything = workflow("everything", async (input: Order) => {
  const inline = await step("inline", async () => ({ chargeId: "1", cents: 2 }));
  const written = await transaction("write", async (tx) => tx.query<Receipt>("select 1"));
  const decision = await approve.receive({ timeout: "1 day" });
  const mapped = await map([input], async (each) => charge(each), { concurrency: 2 });
  const tolerated = await map([input], async (each) => charge(each), { toleratedFailures: 1 });
  const both = await parallel([() => charge(input), async () => input.item]);
  const bothTolerated = await parallel([() => charge(input), async () => input.item], { minSuccessful: 1 });
  const child = startChild(order, { input });
  const childResult = await executeChild(order, { input });
  const hook = await createWebhook("hook");
  const checkedHook = await createWebhook("hook", { schema: z.object({ paid: z.number() }) });
  const delivery = await hook.receive();
  const first = await waitForAny({ approve, child, checkedHook });
  const firstInTime = await waitForAny({ approve, poke }, { timeout: "1m" });
  const raced = await race({ charged: () => charge(input), late: async () => "late" as const });
  const polled = await poll("poll", () => (Math.random() > 0.5 ? { done: true } : undefined), { every: "1m" });
  const locked = await withLock("key", async ({ fencingToken }) => ({ fencingToken, inline }));
  const undone = await saga(async (undo) => {
    undo.add("charge", () => {});
    return charge(input);
  });
  const scope = cancelScope();
  const other = externalRun("other");
  const told = tellEntity(cart, "key");
  const found = attributes.of(workflowInfo());
  return {
    ...{ written, decision, mapped, tolerated, both, bothTolerated, childResult, delivery, first, firstInTime, raced },
    ...{ polled, locked, undone, scope, other, told, found },
  };
});

export async function callers(client: Client) {
  const run = await client.start(order, { id: "1", input: { item: "lamp", total: 1 } });
  const result = await run.result();
  const answer = await run.query(status);
  const answerLines = await run.query(lines, { from: 1 });
  const answerFound = await run.query(checkedQuery, { name: "a" });
  const updated = await run.update(addItem, { name: "a" });
  const updateHandle = await run.update(addItem, { name: "a" }, { waitFor: "accepted" });
  const checkedRun = await client.start(checkedWorkflow, { input: { owner: "a", since: "b" } });
  const handle = client.get(order, "1");
  const mine = client.entity(cart, "ann");
  const added = await mine.add({ item: "lamp", total: 1 });
  const total = await mine.total();
  const described = await run.describe();
  const listed = await client.list({ where: { workflow: "order" } });
  const everstep = await embedded({ workflows: [order] });
  const worker = new Worker({ workflows: [order] });
  const environment = await testEnvironment({ workflows: [order] });
  const mocked = environment.mockStep(charge, () => ({ chargeId: "1", cents: 1 }));
  return {
    ...{ result, answer, answerLines, answerFound, updated, updateHandle, checkedRun, handle, added, total, described },
    ...{ listed, everstep, worker, mocked },
  };
}
