// Three trips: one is paid for, one has no car, one is canceled while it waits for the money.

import { setTimeout as pause } from "node:timers/promises";
import { embedded } from "everstep/runtime";
import { provider } from "./provider.ts";
import { pay, trip } from "./workflow.ts";

const everstep = await embedded({ workflows: [trip], logLevel: "warn" });
const start = (customer: string, to: string) =>
  everstep.client.start(trip, { id: `trip-${customer}`, onConflict: "terminateExisting", input: { customer, to } });
const endOf = (run: { result(): Promise<unknown> }) =>
  run.result().then(
    (result) => JSON.stringify(result),
    (error: Error) => error.message,
  );

try {
  const ann = await start("Ann", "Rome");
  await ann.signal(pay, { cents: 120_000 });
  console.log("Ann:", await endOf(ann));

  console.log("Bob:", await endOf(await start("Bob", "Venice")));

  const cleo = await start("Cleo", "Oslo");
  while ((await cleo.describe()).pending?.signals.includes("pay") !== true) await pause(50);
  await cleo.cancel("Cleo stays at home");
  console.log("Cleo:", await endOf(cleo));

  console.log("Canceled, in this order:", provider.canceled.join(", "));
  console.log("Booked:", provider.booked.join(", "));
} finally {
  await everstep.stop();
}
