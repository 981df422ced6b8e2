// Attributes, as the compiler sees them: what compiles and what must not.

import { expect, expectTypeOf, test } from "vitest";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { defineAttributes, upsertAttributes, upsertMemo, workflow, workflowInfo } from "../../sdk/index.ts";

const orders = defineAttributes({ customer: "keyword", amount: "double", dueAt: "datetime", tags: "keywordList" });
const order = workflow("order", async (_input: number) => {});

function values() {
  upsertAttributes(orders({ customer: "c1", amount: null, tags: ["a"] }));
  // @ts-expect-error a double is a number
  orders({ amount: "12" });
  // @ts-expect-error the set has no such attribute
  orders({ price: 12 });
  // @ts-expect-error values are made by a set, which knows their types
  upsertAttributes({ customer: "c1" });
  // @ts-expect-error there is no such type
  defineAttributes({ customer: "string" });
  upsertMemo({ anything: { goes: [1] }, gone: null });
  expectTypeOf(orders.of(workflowInfo())).toEqualTypeOf<{
    readonly customer?: string;
    readonly amount?: number;
    readonly dueAt?: Date;
    readonly tags?: readonly string[];
  }>();
}

async function callers(client: WorkflowClient) {
  await client.start(order, { input: 1, attributes: orders({ customer: "c1" }), memo: { note: "vip" } });
  // @ts-expect-error attributes come from a set
  await client.start(order, { input: 1, attributes: { customer: "c1" } });
  await client.list({
    where: {
      status: ["running", "blocked"],
      startedAt: { gte: new Date(0) },
      attributes: orders.where({ customer: "c1", amount: { gte: 10, lt: 20 }, tags: "red", dueAt: null }),
    },
    orderBy: { by: { attribute: "amount" }, direction: "desc" },
  });
  await client.list({ where: { attributes: { customer: "c1", amount: { gte: 10 } } } });
  // @ts-expect-error a keyword is compared with strings
  orders.where({ customer: 5 });
  // @ts-expect-error a list is asked for one of its keywords
  orders.where({ tags: ["red"] });
  // @ts-expect-error there is no such filter
  await client.list({ where: { colour: "red" } });
  expectTypeOf(client.count({ where: { queue: "default" } })).resolves.toBeNumber();
  const [group] = await client.countBy({ attribute: "customer" });
  expectTypeOf(group?.count).toEqualTypeOf<number | undefined>();
}

test("the checks above are the compiler's", () => {
  expect([values, callers]).toHaveLength(2);
});
