// Two expenses: somebody decides on the first, nobody on the second.

import { embedded } from "everstep/runtime";
import { decide, expense } from "./workflow.ts";

const everstep = await embedded({ workflows: [expense], logLevel: "warn" });
const { client } = everstep;
try {
  const train = await client.start(expense, { input: { by: "Ann", amount: 120 } });
  const yacht = await client.start(expense, { input: { by: "Bob", amount: 120_000, patience: "2s" } });

  await train.signal(decide, { approver: "Cleo", isApproved: true });

  console.log("train:", (await train.result()).outcome);
  console.log("yacht:", (await yacht.result()).outcome);
} finally {
  await everstep.stop();
}
