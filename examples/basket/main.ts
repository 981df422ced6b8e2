// A basket is filled, refuses what makes no sense, and is checked out. Each call is answered by the run.

import { embedded } from "everstep/runtime";
import { addItem, basket, checkout } from "./workflow.ts";

const everstep = await embedded({ workflows: [basket], logLevel: "warn" });
const { client } = everstep;
try {
  // The first item starts the basket, or finds it open: one transaction either way.
  const first = await client.updateWithStart(basket, {
    id: `basket-of-ann-${Date.now()}`,
    update: addItem,
    updateInput: { name: "lamp", count: 2 },
  });
  const { run } = first;
  console.log("in the basket:", JSON.stringify(await first.update.result()));
  console.log("in the basket:", JSON.stringify(await run.update(addItem, { name: "chair", count: 4 })));

  for (const item of [
    { name: "table", count: 0 },
    { name: "cup", count: 100 },
  ]) {
    await run
      .update(addItem, item)
      .catch((error) => console.log(`no ${item.name}: ${error.code}: ${error.cause.message}`));
  }

  console.log("checked out:", JSON.stringify(await run.update(checkout)));
  console.log("sold:", (await run.result()).map(({ name }) => name).join(", "));
} finally {
  await everstep.stop();
}
