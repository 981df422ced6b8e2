// The structural verbs: what is inferred, and what must not compile. Nothing here is executed but the last line.

import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  type CancellableScope,
  cancelScope,
  createWebhook,
  defineSignal,
  executeChild,
  externalRun,
  type ItemOutcome,
  map,
  parallel,
  poll,
  race,
  type Saga,
  saga,
  sleep,
  startChild,
  step,
  type WebhookDelivery,
  waitForAny,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";

const approve = defineSignal<{ by: string }>("approve");
const poke = defineSignal("poke");
const build = workflow("build", async (floors: number) => ({ built: floors }));

async function scopes() {
  const scope = cancelScope();
  expectTypeOf(scope).toEqualTypeOf<CancellableScope>();
  expectTypeOf(await scope.run(async () => 1)).toEqualTypeOf<number>();
  scope.cancel();
  scope.cancel("why");
  expectTypeOf(await withTimeout("5m", () => step("a", () => "x"))).toEqualTypeOf<string>();
  // @ts-expect-error no such unit
  await withTimeout("5 parsecs", async () => 1);
  // @ts-expect-error a function, not a promise that has begun outside of the scope
  await withTimeout("5m", step("a", noop));
  // @ts-expect-error a reason is text
  scope.cancel(new Error("why"));
}

async function races() {
  const first = await race({ paid: () => approve.receive(), late: () => sleep("1h"), at: () => 7 });
  expectTypeOf(first.winner).toEqualTypeOf<"paid" | "late" | "at">();
  if (first.winner === "paid") expectTypeOf(first.value).toEqualTypeOf<{ by: string }>();
  else if (first.winner === "late") expectTypeOf(first.value).toEqualTypeOf<void>();
  else expectTypeOf(first.value).toEqualTypeOf<number>();
  // @ts-expect-error functions, not promises
  await race({ late: sleep("1h") });

  const signal = await waitForAny({ approved: approve, poked: poke });
  expectTypeOf(signal.winner).toEqualTypeOf<"approved" | "poked">();
  if (signal.winner === "approved") expectTypeOf(signal.value).toEqualTypeOf<{ by: string }>();
  else expectTypeOf(signal.value).toEqualTypeOf<void>();
  const timed = await waitForAny({ approved: approve }, { timeout: "1h" });
  expectTypeOf(timed).toEqualTypeOf<{ readonly winner: "approved"; readonly value: { by: string } } | undefined>();
  // @ts-expect-error signals, not functions
  await waitForAny({ approved: () => approve.receive() });
}

async function firsts() {
  const child = startChild(build, { input: 1 });
  const plain = await createWebhook("plain");
  const read = await createWebhook("read", { schema: z.object({ paid: z.string().transform(Number) }) });
  const counted = defineSignal("counted", { schema: z.string().transform(Number) });
  const first = await waitForAny({ child, plain, read, counted, approve });
  expectTypeOf(first.winner).toEqualTypeOf<"child" | "plain" | "read" | "counted" | "approve">();
  if (first.winner === "child") expectTypeOf(first.value).toEqualTypeOf<{ built: number }>();
  else if (first.winner === "plain") expectTypeOf(first.value).toEqualTypeOf<WebhookDelivery>();
  else if (first.winner === "read") expectTypeOf(first.value).toEqualTypeOf<{ paid: number }>();
  else if (first.winner === "counted") expectTypeOf(first.value).toEqualTypeOf<number>();
  else expectTypeOf(first.value).toEqualTypeOf<{ by: string }>();
  const timed = await waitForAny({ child }, { timeout: 0 });
  expectTypeOf(timed).toEqualTypeOf<{ readonly winner: "child"; readonly value: { built: number } } | undefined>();
  // @ts-expect-error a child that was started, not a promise of its result
  await waitForAny({ child: executeChild(build, { input: 1 }) });
  // @ts-expect-error a run that this one has not started tells it nothing
  await waitForAny({ run: externalRun("another") });
  // @ts-expect-error a webhook, not the promise of one
  await waitForAny({ hook: createWebhook("plain") });
}

async function batches() {
  expectTypeOf(await map([1, 2], async (n, index) => `${n + index}`)).toEqualTypeOf<string[]>();
  expectTypeOf(await map(new Set(["a"]), (text) => text.length, { concurrency: 2 })).toEqualTypeOf<number[]>();
  type Outcomes = ItemOutcome<string>[];
  expectTypeOf(await map([1], async () => "x", { minSuccessful: 1 })).toEqualTypeOf<Outcomes>();
  expectTypeOf(await map([1], async () => "x", { toleratedFailures: 1 })).toEqualTypeOf<Outcomes>();
  expectTypeOf(
    await map([1], async () => "x", { toleratedFailureRate: 0.1, concurrency: 3 }),
  ).toEqualTypeOf<Outcomes>();
  // @ts-expect-error an item of another type
  await map([1], async (text: string) => text);
  // @ts-expect-error no such option
  await map([1], async () => 1, { maxConcurrency: 3 });

  const both = await parallel([() => step("a", () => 1), async () => "x", () => true]);
  expectTypeOf(both).toEqualTypeOf<[number, string, boolean]>();
  const some = await parallel([() => step("a", () => 1), async () => "x"], { toleratedFailures: 1 });
  expectTypeOf(some).toEqualTypeOf<[ItemOutcome<number>, ItemOutcome<string>]>();
  // @ts-expect-error functions, not promises
  await parallel([step("a", () => 1)]);
}

async function polls() {
  const check = async () => (Math.random() > 0.5 ? { parcel: 1 } : undefined);
  expectTypeOf(await poll("p", check, { every: "1m" })).toEqualTypeOf<{ parcel: number }>();
  expectTypeOf(await poll("p", check, { every: "1m", timeout: "1h" })).toEqualTypeOf<{ parcel: number } | undefined>();
  expectTypeOf(await poll("p", check, { every: 5, maxAttempts: 3 })).toEqualTypeOf<{ parcel: number } | undefined>();
  expectTypeOf(await poll("p", () => false as boolean, { every: 5 })).toEqualTypeOf<true>();
  // @ts-expect-error how often is not left to chance
  await poll("p", check, {});
  // @ts-expect-error a step has a name
  await poll(check, { every: "1m" });
}

async function sagas() {
  const booked = await saga(async (undo) => {
    undo.add("a", () => step("undo a", noop));
    return { seat: "1a" };
  });
  expectTypeOf(booked).toEqualTypeOf<{ seat: string }>();
  expectTypeOf(saga()).toEqualTypeOf<Saga>();
  expectTypeOf(saga({ order: "parallel", onFailure: "stop" })).toEqualTypeOf<Saga>();
  expectTypeOf(await saga().compensate(new Error("why"))).toEqualTypeOf<void>();
  // @ts-expect-error a compensation has a name
  saga().add(() => step("undo a", noop));
  // @ts-expect-error no such order
  saga({ order: "forwards" });
}

function noop(): void {}

test("the compiler has checked what is above", () => {
  expect([scopes, races, firsts, batches, polls, sagas]).toHaveLength(6);
});
