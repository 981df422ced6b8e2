// Two subscriptions with months of a second: one runs its three months, one is canceled after its second charge.

import { embedded } from "everstep/runtime";
import { paid, subscription } from "./workflow.ts";

const everstep = await embedded({ workflows: [subscription], logLevel: "warn" });
const { client } = everstep;
try {
  const month = "1s";
  const ann = await client.start(subscription, { input: { customer: "Ann", price: 9, months: 3, month } });
  const bob = await client.start(subscription, { input: { customer: "Bob", price: 9, months: 1_200, month } });

  while ((await bob.query(paid)).months < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  await bob.cancel("moved abroad");

  console.log("Ann:", await ann.result(), await ann.query(paid));
  console.log("Bob:", await bob.result(), await bob.query(paid));
} finally {
  await everstep.stop();
}
