// Four tickets: the most urgent of a customer first, how many there are of each label, and one that is resolved.

import { embedded } from "everstep/runtime";
import { resolve, ticket, tickets, triage } from "./workflow.ts";

const everstep = await embedded({ workflows: [ticket], logLevel: "warn" });
const { client } = everstep;
try {
  const open = async (customer: string, text: string, urgency: number, ...labels: string[]) => {
    const run = await client.start(ticket, {
      input: { customer, text },
      attributes: tickets({ customer }),
      memo: { text },
    });
    await run.signal(triage, { urgency, labels });
    return run;
  };
  const runs = [
    await open("ann", "The lamp is dark.", 2, "lamp"),
    await open("ann", "The house is on fire.", 9, "lamp", "fire"),
    await open("bob", "My chair squeaks.", 1, "chair"),
    await open("ann", "Thank you!", 1),
  ];
  const ours = { workflow: "ticket", status: "running" } as const;
  const triaged = { ...ours, attributes: tickets.where({ urgency: { gt: 0 } }) };
  while ((await client.count({ where: triaged })) < runs.length) await new Promise((tick) => setTimeout(tick, 20));

  const anns = { ...ours, attributes: tickets.where({ customer: "ann", urgency: { gte: 2 } }) };
  const page = await client.list({ where: anns, orderBy: { by: { attribute: "urgency" } } });
  for (const { memo, attributes } of page.runs) console.log(attributes.urgency, memo.text);

  for (const { value, count } of await client.countBy({ attribute: "labels" }, { where: ours })) {
    console.log(`${value ?? "none"}: ${count}`);
  }

  for (const run of runs) await run.signal(resolve, { answer: "It is taken care of." });
  for (const run of runs) await run.result();
  const fire = await runs[1]?.describe();
  console.log(fire?.memo.answer, "Open tickets:", await client.count({ where: ours }));
} finally {
  await everstep.stop();
}
