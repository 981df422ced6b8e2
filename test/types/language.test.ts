// What compiles and what must not. Nothing here is executed but the last line: the checks are the compiler's, and an
// expected error that does not come is one itself.

import { type } from "arktype";
import * as v from "valibot";
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import type { UpdateHandle } from "../../sdk/client/update-handle.ts";
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  createWebhook,
  type Duration,
  defineQuery,
  defineSignal,
  defineStep,
  defineUpdate,
  deprecatePatch,
  executeChild,
  externalRun,
  nonCancellable,
  patched,
  sleep,
  startChild,
  step,
  transaction,
  type Webhook,
  type WebhookDelivery,
  type Workflow,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import type { RunPatch } from "../../sdk/protocol/run.ts";

interface Order {
  readonly id: string;
  readonly total: number;
}

const order = workflow("order", async (input: Order) => ({ shipped: input.total > 0 }));
const nightly = workflow("nightly", async () => 42);
const maybe = workflow("maybe", async (input?: { readonly dry: boolean }) => input?.dry ?? false);
const approve = defineSignal<{ by: string }>("approve");
const poke = defineSignal("poke");
const status = defineQuery<"open" | "closed">("status");
const addItem = defineUpdate<number, { name: string }>("addItem");
const checkout = defineUpdate<string>("checkout");
const lines = defineQuery<string[], { from: number }>("lines");
const charge = defineStep("charge", async (input: Order) => ({ receipt: input.id }));

async function definitions() {
  expectTypeOf(order).toEqualTypeOf<Workflow<Order, { shipped: boolean }>>();
  expectTypeOf(nightly).toEqualTypeOf<Workflow<unknown, number>>();
  workflow("timed", async () => {}, { timeout: "2 days" });
  workflow("again", async () => {}, {
    retry: { maxAttempts: 3, backoff: (attempt) => attempt, nonRetryable: [(e) => !e] },
  });
  // @ts-expect-error not a retry option
  workflow("again", async () => {}, { retry: { attempts: 3 } });
  // @ts-expect-error a workflow is a function
  workflow("broken", 42);
  // @ts-expect-error a workflow is an async function
  workflow("broken", () => 42);
  // @ts-expect-error no such option
  workflow("broken", async () => {}, { timeouts: "1m" });
}

async function steps() {
  expectTypeOf(await step("a", () => 1)).toEqualTypeOf<number>();
  expectTypeOf(await step("a", async () => "x")).toEqualTypeOf<string>();
  expectTypeOf(await step("a", () => {})).toEqualTypeOf<void>();
  expectTypeOf(await charge({ id: "1", total: 2 })).toEqualTypeOf<{ receipt: string }>();
  expectTypeOf(await transaction("t", async (tx) => (await tx.query<{ n: number }>("select 1")).rows)).toEqualTypeOf<
    { n: number }[]
  >();
  expectTypeOf(await nonCancellable(async () => "kept")).toEqualTypeOf<string>();
  await step("a", ({ signal, attempt, idempotencyKey, lastHeartbeat, heartbeat, log }) => {
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    expectTypeOf(attempt).toEqualTypeOf<number>();
    expectTypeOf(idempotencyKey).toEqualTypeOf<string>();
    expectTypeOf(lastHeartbeat).toEqualTypeOf<unknown>();
    heartbeat({ any: "thing" });
    log.info("fine", { field: 1 });
  });
  await step("a", () => 1, {
    retry: { maxAttempts: 5, initialInterval: "1s", backoff: (attempt, error) => (error ? attempt * 10 : "1s") },
    timeout: "30s",
    totalTimeout: "1 hour",
    heartbeatTimeout: 500,
    onCancel: "abandon",
  });
  // @ts-expect-error the input of the definition
  await charge({ id: 1, total: 2 });
  // @ts-expect-error the input is not optional
  await charge();
  // @ts-expect-error a step has a name
  await step(() => 1);
  // @ts-expect-error no such unit
  await step("a", () => 1, { timeout: "5 parsecs" });
  // @ts-expect-error a number of attempts
  await step("a", () => 1, { retry: { maxAttempts: "five" } });
  // @ts-expect-error no such option
  await step("a", () => 1, { retry: { maximumAttempts: 5 } });
  // @ts-expect-error no such backoff
  await step("a", () => 1, { retry: { backoff: "quadratic" } });
  // @ts-expect-error names and predicates
  await step("a", () => 1, { retry: { nonRetryable: [404] } });
  // @ts-expect-error wait or abandon
  await step("a", () => 1, { onCancel: "ignore" });
}

async function laterSteps(client: WorkflowClient) {
  interface Receipt {
    readonly no: number;
  }
  expectTypeOf(await step<Receipt>("a", (context) => context.completeLater())).toEqualTypeOf<Receipt>();
  expectTypeOf(await step("a", (context) => context.completeLater<Receipt>())).toEqualTypeOf<Receipt>();
  expectTypeOf(await step("a", (context) => context.completeLater())).toEqualTypeOf<unknown>();
  const either = step<Receipt>("a", async ({ attempt, token, completeLater }) => {
    expectTypeOf(token).toEqualTypeOf<string>();
    return attempt > 1 ? { no: 1 } : completeLater();
  });
  expectTypeOf(await either).toEqualTypeOf<Receipt>();
  // @ts-expect-error another result
  step<Receipt>("a", (context) => context.completeLater<string>());
  const sign = defineStep<Order, Receipt>("sign", (_, { completeLater }) => completeLater());
  expectTypeOf(await sign({ id: "1", total: 2 })).toEqualTypeOf<Receipt>();

  const run = client.getUntyped("order-42");
  await run.completeStep(sign, { no: 1 });
  await run.completeStep("sign", "anything", { reportId: "click" });
  // @ts-expect-error the step's result is a receipt
  await run.completeStep(sign, "paid");
  // @ts-expect-error the step has a result
  await run.completeStep(sign);
  await run.failStep(sign, new Error("no"));
  await run.heartbeatStep("sign");
  await client.completeStep("token", { no: 1 });
  // @ts-expect-error a token is text
  await client.completeStep(sign, { no: 1 });
}

async function waits() {
  await sleep("1h", { summary: "until the bank opens" });
  // @ts-expect-error a summary is a text
  await step("a", () => 1, { summary: 7 });
  expectTypeOf(workflowInfo().chainDeadlineAt).toEqualTypeOf<Date | undefined>();
  expectTypeOf(workflowInfo().root?.workflowId).toEqualTypeOf<string | undefined>();
  for (const fine of [5, "5ms", "30s", "5m", "1.5h", "2 days", "1 week"] satisfies Duration[]) await sleep(fine);
  // @ts-expect-error no such unit
  await sleep("5 parsecs");
  // @ts-expect-error a length of time, not a point in time
  await sleep(new Date());
  expectTypeOf(await condition(() => true)).toEqualTypeOf<void>();
  expectTypeOf(await condition(() => true, { timeout: "1m" })).toEqualTypeOf<boolean>();
  // @ts-expect-error a predicate answers at once
  await condition(async () => true);
  // @ts-expect-error options without a timeout
  await condition(() => true, {});
  expectTypeOf(await approve.receive()).toEqualTypeOf<{ by: string }>();
  expectTypeOf(await approve.receive({ timeout: "1m" })).toEqualTypeOf<{ by: string } | undefined>();
  expectTypeOf(await poke.receive()).toEqualTypeOf<void>();
  approve.handle(({ by }) => {
    expectTypeOf(by).toEqualTypeOf<string>();
  });
  approve.handle(async () => {});
  // @ts-expect-error another payload
  approve.handle((by: number) => by);
  status.handle(() => "open");
  lines.handle(({ from }) => [String(from)]);
  // @ts-expect-error another answer
  status.handle(() => "ajar");
  // @ts-expect-error an answer, not a promise of one
  status.handle(async () => "open");
}

async function updates(client: WorkflowClient) {
  addItem.handle(({ name }) => name.length);
  addItem.handle(async () => 1, { validate: ({ name }) => void name.length, onUnfinished: "abandon" });
  // @ts-expect-error another result
  addItem.handle(() => "one");
  // @ts-expect-error another input
  addItem.handle((n: number) => n);
  // @ts-expect-error no such policy
  addItem.handle(() => 1, { onUnfinished: "wait" });
  await condition(allHandlersFinished);

  const run = client.getUntyped("basket");
  expectTypeOf(await run.update(addItem, { name: "lamp" })).toEqualTypeOf<number>();
  expectTypeOf(await run.update(addItem, { name: "lamp" }, { updateId: "u", timeout: "1m" })).toEqualTypeOf<number>();
  expectTypeOf(await run.update(addItem, { name: "lamp" }, { waitFor: "completed" })).toEqualTypeOf<number>();
  const accepted = await run.update(addItem, { name: "lamp" }, { waitFor: "accepted" });
  expectTypeOf(accepted).toEqualTypeOf<UpdateHandle<number>>();
  expectTypeOf(await accepted.result()).toEqualTypeOf<number>();
  expectTypeOf(await run.update(checkout)).toEqualTypeOf<string>();
  expectTypeOf(run.getUpdate(addItem, "u")).toEqualTypeOf<UpdateHandle<number>>();
  // @ts-expect-error the update has an input
  await run.update(addItem);
  // @ts-expect-error another input
  await run.update(addItem, { name: 1 });
  // @ts-expect-error no such stage
  await run.update(addItem, { name: "lamp" }, { waitFor: "admitted" });
  // @ts-expect-error a signal is no update
  await run.update(approve, { by: "ann" });

  const both = await client.updateWithStart(nightly, { update: addItem, updateInput: { name: "lamp" } });
  expectTypeOf(both.run).toEqualTypeOf<RunHandle<number>>();
  expectTypeOf(both.update).toEqualTypeOf<UpdateHandle<number>>();
  await client.updateWithStart(nightly, { update: checkout });
  // @ts-expect-error the update has an input
  await client.updateWithStart(nightly, { update: addItem });
  // @ts-expect-error the workflow has an input
  await client.updateWithStart(order, { update: checkout });
}

async function schemas(client: WorkflowClient) {
  const count = z.string().transform(Number);
  const tell = defineSignal("tell", { schema: count });
  expectTypeOf(await tell.receive()).toEqualTypeOf<number>();
  const raise = defineUpdate("raise", { input: count, output: z.boolean() });
  raise.handle((n) => n > 1);
  // @ts-expect-error another result
  raise.handle((n) => n);
  const peek = defineQuery("peek", { input: count, output: z.boolean() });
  peek.handle((n) => n > 1);
  const parsed = workflow("parsed", async (n) => n + 1, { input: count, timeout: "1m" });
  expectTypeOf(parsed).toEqualTypeOf<Workflow<string, number>>();
  const run = await client.start(parsed, { input: "1" });
  await run.signal(tell, "1");
  expectTypeOf(await run.update(raise, "1")).toEqualTypeOf<boolean>();
  expectTypeOf(await run.query(peek, "1")).toEqualTypeOf<boolean>();
  // @ts-expect-error what is sent is text
  await run.signal(tell, 1);
  // @ts-expect-error what is sent is text
  await run.update(raise, 1);
  // @ts-expect-error what is sent is text
  await client.start(parsed, { input: 1 });
}

async function schemasOfOtherLibraries() {
  const Item = v.object({ name: v.string(), count: v.optional(v.pipe(v.string(), v.transform(Number)), "1") });
  const tell = defineSignal("tell", { schema: Item });
  expectTypeOf(await tell.receive()).toEqualTypeOf<{ name: string; count: number }>();
  const since = type({ since: "string.date.parse" });
  const parsed = workflow("parsed", async (given) => given.since.getTime(), { input: since });
  expectTypeOf(parsed).toEqualTypeOf<Workflow<{ since: string }, number>>();
  const ask = defineUpdate("ask", { input: Item, output: type("string.numeric.parse") });
  ask.handle(({ count }) => String(count));
  expectTypeOf(await executeChild(parsed, { input: { since: "2030-01-01" } })).toEqualTypeOf<number>();
  // @ts-expect-error what is sent is text
  await executeChild(parsed, { input: { since: new Date() } });
}

async function clients(client: WorkflowClient) {
  const run = await client.start(order, { id: "order-42", input: { id: "1", total: 2 } });
  expectTypeOf(run).toEqualTypeOf<RunHandle<{ shipped: boolean }>>();
  expectTypeOf(await run.result()).toEqualTypeOf<{ shipped: boolean }>();
  expectTypeOf(await (await client.start(nightly)).result()).toEqualTypeOf<number>();
  await client.start(maybe);
  await client.start(maybe, { input: { dry: true } });
  // @ts-expect-error the workflow needs an input
  await client.start(order);
  // @ts-expect-error the workflow needs an input
  await client.start(order, { id: "order-42" });
  // @ts-expect-error another input
  await client.start(order, { input: { id: 1, total: 2 } });
  // @ts-expect-error another input
  await client.start(maybe, { input: { dry: "yes" } });
  // @ts-expect-error no such policy
  await client.start(nightly, { onConflict: "replace" });
  await client.start(nightly, { retry: { maxAttempts: 3, backoff: "linear", nonRetryable: ["Declined"] } });
  // @ts-expect-error it is stored, and functions are not
  await client.start(nightly, { retry: { backoff: () => 1 } });
  // @ts-expect-error neither are predicates
  await client.start(nightly, { retry: { nonRetryable: [() => true] } });

  await run.signal(approve, { by: "ann" });
  await run.signal(poke);
  // @ts-expect-error another payload
  await run.signal(approve, { by: 1 });
  // @ts-expect-error the signal has a payload
  await run.signal(approve);
  // @ts-expect-error a query is no signal
  await run.signal(status, undefined);

  expectTypeOf(await run.query(status)).toEqualTypeOf<"open" | "closed">();
  expectTypeOf(await run.query(lines, { from: 1 })).toEqualTypeOf<string[]>();
  // @ts-expect-error the query has an input
  await run.query(lines);
  // @ts-expect-error another input
  await run.query(lines, { from: "1" });
  // @ts-expect-error no such unit
  await run.result({ timeout: "1 fortnight" });
  // @ts-expect-error no such unit
  await client.start(order, { input: { id: "1", total: 2 }, chainTimeout: "1 fortnight" });
  expectTypeOf(await run.query(status, undefined, { onlyIf: "openOrCompleted" })).toEqualTypeOf<"open" | "closed">();
  // @ts-expect-error there is no such state
  await run.query(status, undefined, { onlyIf: "closed" });

  await client.signalWithStart(order, { input: { id: "1", total: 2 }, signal: approve, payload: { by: "ann" } });
  // @ts-expect-error the signal has a payload
  await client.signalWithStart(order, { input: { id: "1", total: 2 }, signal: approve });
  expectTypeOf(client.get(order, "order-42")).toEqualTypeOf<RunHandle<{ shipped: boolean }>>();
}

async function changes(client: WorkflowClient): Promise<void> {
  expectTypeOf(patched("split")).toEqualTypeOf<boolean>();
  expectTypeOf(deprecatePatch("split")).toEqualTypeOf<void>();
  // @ts-expect-error a patch has an id
  patched();
  const { runs } = await client.listPatches({ workflow: "order" });
  expectTypeOf(runs[0]?.patches).toEqualTypeOf<readonly RunPatch[] | undefined>();
}

async function kin() {
  const child = startChild(order, { input: { id: "1", total: 2 } });
  expectTypeOf(child.started).toEqualTypeOf<Promise<string>>();
  expectTypeOf(await child.result).toEqualTypeOf<{ shipped: boolean }>();
  expectTypeOf(await executeChild(nightly)).toEqualTypeOf<number>();
  await child.signal(approve, { by: "ann" });
  await externalRun("other").signal(poke);
  // @ts-expect-error the workflow needs an input
  startChild(order);
  // @ts-expect-error another input
  await executeChild(order, { input: { id: 1, total: 2 } });
  // @ts-expect-error no such policy
  startChild(nightly, { parentClosePolicy: "keep" });
  // @ts-expect-error the signal has a payload
  await externalRun("other").signal(approve);
}

const loop = workflow("loop", async (left: number): Promise<string> => {
  if (left === 0) return "done";
  return loop.continueAsNew(left - 1, { timeout: "1h" });
});

async function continuing() {
  expectTypeOf(loop).toEqualTypeOf<Workflow<number, string>>();
  // @ts-expect-error another input
  loop.continueAsNew("5");
  continueAsNew(order, { id: "1", total: 2 });
  continueAsNew({ any: "input" });
  // @ts-expect-error another input
  continueAsNew(order, { id: 1, total: 2 }, {});
  // @ts-expect-error no such unit
  continueAsNew(1, { timeout: "1 fortnight" });
}

async function hooks(client: WorkflowClient) {
  const hook = await createWebhook("payment");
  expectTypeOf(hook).toEqualTypeOf<Webhook<WebhookDelivery>>();
  expectTypeOf(await hook.receive()).toEqualTypeOf<WebhookDelivery>();
  expectTypeOf(await hook.receive({ timeout: "7 days" })).toEqualTypeOf<WebhookDelivery | undefined>();
  const checked = await createWebhook("payment", { schema: z.object({ paid: z.coerce.number() }), token: hook.token });
  expectTypeOf(await checked.receive()).toEqualTypeOf<{ paid: number }>();
  for await (const { paid } of checked) expectTypeOf(paid).toEqualTypeOf<number>();
  await client.deliverWebhook(hook.token, { body: "{}", headers: { a: "b" } }, { deliveryId: "1" });
  // @ts-expect-error bodies are text
  await client.deliverWebhook(hook.token, { body: {} });
  // @ts-expect-error it has to be awaited
  createWebhook("payment").token;
}

test("the compiler has checked what is above", () => {
  const messages = [waits, updates, schemas, schemasOfOtherLibraries, hooks];
  const checked = [definitions, steps, clients, changes, laterSteps, kin, continuing, ...messages];
  expect(checked).toHaveLength(12);
});
