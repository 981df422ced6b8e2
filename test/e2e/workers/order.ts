// A run with everything a run can have: plain and transaction steps, a timer, signals by receive and by handler, a
// query, a condition.

import { condition, defineQuery, defineSignal, sleep, step, transaction, workflow } from "everstep";
import { testify } from "../../support/witness.ts";

export const approve = defineSignal<{ by: string }>("approve");
export const note = defineSignal<string>("note");
export const phase = defineQuery<string>("phase");
export const noteAt = defineQuery<string | undefined, number>("noteAt");

export interface OrderInput {
  readonly item: string;
  readonly notes: number;
}

export const order = workflow("order", async ({ item, notes }: OrderInput) => {
  let now = "received";
  const kept: string[] = [];
  phase.handle(() => now);
  noteAt.handle((index) => kept[index]);
  note.handle((text) => void kept.push(text));

  const price = await step("price", ({ workflowId }) => {
    testify("price", workflowId);
    return item.length * 10;
  });
  await sleep(50);
  const booked = await transaction("book", async (tx, { workflowId }) => {
    testify("book", workflowId);
    const { rows } = await tx.query<{ id: number }>(
      "insert into booking (workflow_id, price) values ($1, $2) returning id",
      [workflowId, price],
    );
    return rows[0]?.id;
  });
  now = "booked";
  const decision = await approve.receive({ timeout: "1 minute" });
  now = "approved";
  await condition(() => kept.length === notes);
  return { price, isBooked: booked !== undefined, by: decision?.by, notes: kept };
});
