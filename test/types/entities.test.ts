// Entities: what is inferred, and what must not compile. Nothing here is executed but the last line.

import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { endEntity, entity, operation, tellEntity } from "../../sdk/index.ts";

interface Item {
  readonly name: string;
  readonly count: number;
}

interface CartState {
  items: Item[];
}

const cart = entity("cart", {
  initial: (key): CartState => ({ items: [{ name: key, count: 0 }] }),
  operations: {
    add: async (state, item: Item) => {
      expectTypeOf(state).toEqualTypeOf<CartState>();
      state.items.push(item);
      return state.items.length;
    },
    discount: operation(z.object({ percent: z.coerce.number() }), (state, { percent }) => {
      expectTypeOf(state).toEqualTypeOf<CartState>();
      expectTypeOf(percent).toEqualTypeOf<number>();
      return `${state.items.length} at ${percent}`;
    }),
    remove: (state, name?: string) => {
      state.items = state.items.filter((item) => item.name !== name);
    },
    clear: (state) => {
      state.items = [];
      endEntity();
    },
  },
  views: {
    total: (state) => state.items.reduce((sum, { count }) => sum + count, 0),
    named: (state, name: string) => state.items.filter((item) => item.name === name),
  },
});

const counter = entity("counter", {
  initial: () => ({ value: 0 }),
  operations: { increase: (state, by: number) => (state.value += by) },
});

declare const client: WorkflowClient;

async function calls() {
  const mine = client.entity(cart, "user-7");
  expectTypeOf(await mine.add({ name: "lamp", count: 1 })).toEqualTypeOf<number>();
  expectTypeOf(await mine.discount({ percent: "7" }, { operationId: "once" })).toEqualTypeOf<string>();
  expectTypeOf(await mine.clear()).toEqualTypeOf<void>();
  await mine.clear(undefined, { timeout: "5s" });
  await mine.remove();
  await mine.remove("lamp");
  expectTypeOf(await mine.total()).toEqualTypeOf<number>();
  expectTypeOf(await mine.named("lamp", { timeout: "1s" })).toEqualTypeOf<Item[]>();
  expectTypeOf(await client.entity(counter, "a").increase(2)).toEqualTypeOf<number>();
  // @ts-expect-error the operation has an input
  await mine.add();
  // @ts-expect-error another input
  await mine.add({ name: "lamp", count: "1" });
  // @ts-expect-error a view with an input
  await mine.named();
  // @ts-expect-error no such operation
  await mine.divide();
  // @ts-expect-error no views were defined
  await client.entity(counter, "a").total();
  // @ts-expect-error an operation has no signal id
  await mine.clear(undefined, { signalId: "x" });
  // @ts-expect-error a cart is no workflow
  await client.start(cart);
}

async function told() {
  const other = tellEntity(cart, "user-8");
  expectTypeOf(other.add({ name: "lamp", count: 1 })).toEqualTypeOf<Promise<void>>();
  await other.clear();
  // @ts-expect-error the operation has an input
  await other.add();
  // @ts-expect-error views answer, and a workflow is not answered
  await other.total();
}

test("the compiler has checked what is above", () => {
  expect([calls, told]).toHaveLength(2);
});
