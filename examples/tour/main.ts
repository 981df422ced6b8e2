// Two tours: one comes off, one does not, and its hotel is not kept waiting.

import { embedded } from "everstep/runtime";
import { confirmed, flight, hotel, tour } from "./workflow.ts";

const everstep = await embedded({ workflows: [tour, hotel, flight], logLevel: "warn" });
const { client } = everstep;
try {
  const lisbon = await client.start(tour, { input: "Lisbon" });
  const atlantis = await client.start(tour, { input: "Atlantis" });
  console.log("Atlantis:", await atlantis.result());
  await client
    .get(hotel, "hotel-Atlantis")
    .result()
    .catch((error) => console.log("its hotel:", error.status));

  while ((await lisbon.describe()).pending?.children.length !== 1)
    await new Promise((resolve) => setTimeout(resolve, 50));
  await client.get(hotel, "hotel-Lisbon").signal(confirmed, "room 7");
  console.log("Lisbon:", await lisbon.result());
} finally {
  await everstep.stop();
}
