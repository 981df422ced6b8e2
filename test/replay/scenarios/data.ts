// What runs carry and are found by, and forms in which payloads are kept.

import {
  defineAttributes,
  defineSignal,
  setCurrentDetails,
  sleep,
  step,
  transaction,
  upsertAttributes,
  upsertMemo,
} from "everstep";
import { allCodecs } from "../../support/codecs.ts";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const orders = defineAttributes({ stage: "keyword", amount: "int" });
const word = defineSignal<string>("word");

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
    "a fork behind every codec, in the place of a run that had taken signals since",
    async () => {
      const large = await step("large", () => "x".repeat(20_000));
      const first = await word.receive();
      await sleep("1 day");
      return [await step("size", () => large.length), first, await word.receive()];
    },
    { result: [20_000, "one", "two"] },
    {
      codecs: allCodecs(),
      start: async ({ env, workflow }) => {
        const run = await env.client.start(workflow);
        await run.signal(word, "one");
        await env.advance("25h");
        return run.reset({ at: 2 });
      },
      script: async (run, env) => {
        await env.advance("1 day");
        await run.signal(word, "two");
      },
    },
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
