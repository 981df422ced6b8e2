// Three orders side by side: one is approved, one is canceled while it waits, one cannot be shipped.

import { RunFailedError, type RunHandle } from "everstep/client";
import { embedded } from "everstep/runtime";
import { payments } from "./payments.ts";
import { approve, type Order, order, status } from "./workflow.ts";

const everstep = await embedded({ workflows: [order], logLevel: "error" });
const { client } = everstep;

async function place(id: string, input: Order) {
  const run = await client.start(order, { id, input, onConflict: "useExisting" });
  while ((await run.query(status)) === "charging") await new Promise((resolve) => setTimeout(resolve, 100));
  return run;
}

async function report(run: RunHandle<unknown>): Promise<void> {
  const ending = await run.result().then(
    (result) => `completed with ${JSON.stringify(result)}`,
    (error: unknown) => (error instanceof RunFailedError ? `${error.status}: ${error.message}` : Promise.reject(error)),
  );
  console.log(`${run.workflowId} is ${await run.query(status)}. ${ending}`);
}

try {
  const [lamp, chair, desk] = await Promise.all([
    place("order-lamp", { item: "lamp", card: "4242", total: 40, address: "1 High Street" }),
    place("order-chair", { item: "chair", card: "4242", total: 90, address: "2 High Street" }),
    place("order-desk", { item: "desk", card: "4242", total: 250, address: "" }),
  ]);
  console.log(`All three are charged; order-lamp is ${await lamp.query(status)}.`);

  await lamp.signal(approve, { by: "Ann" });
  await chair.cancel("the customer changed her mind");
  await desk.signal(approve, { by: "Ann" });

  for (const run of [lamp, chair, desk]) await report(run);

  for await (const event of lamp.history()) {
    if (event.type === "StepCompleted") console.log(`order-lamp: ${event.name} took ${event.attempt} attempt(s).`);
  }
  const { charged, refunded } = payments.books();
  console.log(`The provider's books: ${charged} charges, ${refunded} refunds.`);
} finally {
  await everstep.stop();
}
