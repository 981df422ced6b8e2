// Entities: operations one after the other, one that fails, one that takes days, a view between them, an end; and a workflow
// that tells one what to do.

import { endEntity, entity, PermanentError, sleep, step, tellEntity } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

interface Ledger {
  readonly owner: string;
  sum: number;
  readonly days: Date[];
}

const ledger = entity("ledger", {
  initial: (owner): Ledger => ({ owner, sum: 0, days: [] }),
  operations: {
    book: async (state, amount: number) => {
      state.days.push(new Date());
      state.sum += await step("book", () => amount);
      if (state.sum < 0) throw new PermanentError("not enough");
      await sleep("1 day");
      return state.sum;
    },
    end: (state) => {
      endEntity();
      return [state.owner, state.sum, state.days.length];
    },
  },
  views: { sum: (state) => state.sum },
});

function same(name: string, given: unknown, expected: unknown): void {
  if (JSON.stringify(given) !== JSON.stringify(expected)) throw new Error(`${name}: ${JSON.stringify(given)}`);
}

const told = scenario(
  "a workflow tells an entity, which is started by that",
  async () => {
    const mine = tellEntity(ledger, "told");
    await mine.book(1);
    await mine.book(-9);
    await mine.book(2);
    await sleep("7 days");
    return "told";
  },
  { result: "told" },
  {
    workflows: [ledger.workflow],
    script: async (_run, env) => {
      await env.advance("5 days");
      same("sum", await env.client.entity(ledger, "told").sum(), 3);
    },
  },
);

const own: Scenario = {
  name: "operations, one that fails, and the end",
  ends: { result: undefined },
  experiment: {
    ...told.experiment,
    workflow: ledger.workflow as never,
    plan: {
      start: (env) =>
        env.client.start(ledger.workflow, { id: ledger.workflowId("own"), input: { key: "own" } }) as never,
      script: async (_run, env) => {
        const mine = env.client.entity(ledger, "own");
        const [first, second, third] = ["1", "2", "3"].map((operationId) => ({ operationId }));
        const booked = mine.book(3, first);
        const refused = mine.book(-9, second).catch((error: { code: string }) => error.code);
        same("before", await mine.sum(), 0);
        same("answers", await Promise.all([booked, refused]), [3, "UPDATE_FAILED"]);
        same("after", await mine.sum(), 3);
        same("end", await mine.end(undefined, third), ["own", 3, 1]);
      },
    },
  },
};

export const entities: readonly Scenario[] = [told, own];
