// A provider was down, and is back: nobody has to wait until every run has found out by itself.

import type { RunHandle } from "everstep/client";
import { embedded } from "everstep/runtime";
import { invoice, provider } from "./workflow.ts";

const everstep = await embedded({ workflows: [invoice], logLevel: "silent" });
const { client } = everstep;
try {
  provider.isUp = false;
  const customers = ["Ann", "Bob", "Cleo"];
  const runs = await client.startMany(
    invoice,
    customers.map((input) => ({ input })),
  );
  await until(runs, ({ steps }) => steps.some(({ nextAttemptAt }) => nextAttemptAt !== null));
  const { workflowId } = runs[0] as RunHandle;
  console.log((await client.getUntyped(workflowId).describe()).pending?.steps[0]?.lastError);

  const where = { workflow: invoice.name };
  const { matched } = await client.bulk({ where, isDryRun: true }).retryNow("charge");
  console.log(`${matched} invoices wait for up to an hour.`);

  provider.isUp = true;
  const { done } = await client.bulk({ where }).retryNow("charge");
  await until(runs, ({ timers }) => timers.length > 0);
  console.log(`${done} were charged at once, and wait for a month.`);

  await runs[0]?.skipSleep();
  console.log(`Ann's is over: ${await runs[0]?.result()}.`);
  const { done: canceled } = await client.bulk({ where }).cancel("the example ends");
  await Promise.allSettled(runs.map((run) => run.result()));
  console.log(`${canceled} were canceled.`);
} finally {
  await everstep.stop();
}

type Pending = NonNullable<Awaited<ReturnType<RunHandle["describe"]>>["pending"]>;

async function until(runs: readonly RunHandle<unknown>[], holds: (pending: Pending) => boolean): Promise<void> {
  for (;;) {
    const all = await Promise.all(runs.map((run) => run.describe()));
    if (all.every(({ pending }) => pending !== null && holds(pending))) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
