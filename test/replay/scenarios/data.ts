// What runs carry and are found by, and forms in which payloads are kept.

import { defineAttributes, setCurrentDetails, sleep, step, transaction, upsertAttributes, upsertMemo } from "everstep";
import { allCodecs } from "../../support/codecs.ts";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const orders = defineAttributes({ stage: "keyword", amount: "int" });

export const data: readonly Scenario[] = [
  scenario(
    "attributes, a memo and details that change as it goes",
    async () => {
      upsertAttributes(orders({ stage: "new", amount: 1 }));
      setCurrentDetails("just begun");
      await step("price", () => 12);
      upsertAttributes(orders({ stage: "priced", amount: null }));
      upsertMemo({ price: { amount: 12, currency: "EUR" } });
      await sleep("1 day");
      upsertMemo({ price: null });
      return "done";
    },
    { result: "done" },
  ),
  scenario(
    "payloads behind every codec",
    async () => {
      const large = await step("large", () => "x".repeat(20_000));
      await sleep("1 day");
      const rich = await step("rich", () => ({ at: new Date(0), of: new Map([["size", large.length]]) }));
      return rich.of.get("size");
    },
    { result: 20_000 },
    { codecs: allCodecs() },
  ),
  scenario(
    "a step in one transaction with its record",
    async () => {
      const booked = await transaction("book", async (tx) => (await tx.query("select 1")).rowCount);
      await sleep("1 day");
      return [booked, await transaction("book again", async () => "again")];
    },
    { result: [1, "again"] },
    { transaction: () => ({ query: async () => ({ rows: [{}], rowCount: 1 }), commit: () => {}, rollback: () => {} }) },
  ),
];
