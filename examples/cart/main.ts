// Ann has two windows open, and Bob a cart of his own. Each call is answered when the operation is done.

import { embedded } from "everstep/runtime";
import { cart } from "./cart.ts";

const everstep = await embedded({ workflows: [cart.workflow], logLevel: "warn" });
const { client } = everstep;
try {
  const key = `ann-${Date.now()}`;
  const [window, otherWindow] = [client.entity(cart, key), client.entity(cart, key)];
  const bob = client.entity(cart, `bob-${Date.now()}`);

  const counts = await Promise.all([
    window.add({ name: "lamp", count: 2 }),
    otherWindow.add({ name: "chair", count: 4 }),
    bob.add({ name: "table", count: 1 }),
  ]);
  console.log("items:", counts.sort().join(", "));

  await window.add({ name: "cup", count: 100 }).catch((error) => console.log(`no cup: ${error.code}`));
  console.log("Ann has", await window.total());
  console.log("Bob has", await bob.total());

  const { sold } = await window.checkout();
  console.log("sold:", [...sold].sort().join(", "));
  console.log("Ann has", await otherWindow.total());
  await bob.checkout();
} finally {
  await everstep.stop();
}
