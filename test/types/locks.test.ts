// Locks and semaphores: what is inferred, and what must not compile. Nothing here is executed but the last line.

import { expect, expectTypeOf, test } from "vitest";
import type { Client } from "../../runtime/client.ts";
import {
  defineSemaphore,
  type HeldLock,
  type HeldPermits,
  type SemaphoreDefinition,
  step,
  withLock,
} from "../../sdk/index.ts";

async function locks() {
  expectTypeOf(await withLock("a", () => 1)).toEqualTypeOf<number>();
  expectTypeOf(await withLock("a", () => step("work", () => "x"), { timeout: "30s" })).toEqualTypeOf<string>();
  expectTypeOf(await withLock("a", async (): Promise<void> => {})).toEqualTypeOf<void>();
  await withLock("a", (lock) => expectTypeOf(lock).toEqualTypeOf<HeldLock>());
  await withLock("a", ({ fencingToken }) => expectTypeOf(fencingToken).toEqualTypeOf<number>());
  // @ts-expect-error no such unit
  await withLock("a", () => 1, { timeout: "30 parsecs" });
  const begun = step("work", () => 1);
  // @ts-expect-error a function, not a promise that has begun before the lock is held
  await withLock("a", begun);
  // @ts-expect-error a lock has one permit
  await withLock("a", () => 1, { permits: 2 });
}

async function semaphores() {
  const gpus = defineSemaphore("gpus", { permits: 3 });
  expectTypeOf(gpus).toEqualTypeOf<SemaphoreDefinition>();
  expectTypeOf(await gpus.with(async () => "x", { permits: 2 })).toEqualTypeOf<string>();
  await gpus.with((held) => expectTypeOf(held).toEqualTypeOf<HeldPermits>());
  // @ts-expect-error how many there are must be said
  defineSemaphore("gpus");
  // @ts-expect-error a number
  defineSemaphore("gpus", { permits: "3" });
}

async function lists(client: Client) {
  const [first] = await client.locks({ key: "a" });
  expectTypeOf(first?.fencingToken).toEqualTypeOf<number | null | undefined>();
  // @ts-expect-error a list is by key
  await client.locks({ workflow: "order" });
}

test("the examples above compile", () => expect([locks, semaphores, lists]).toHaveLength(3));
