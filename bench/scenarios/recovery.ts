// A long history whose worker is killed just before its end, and the process that goes on from there. What passes until
// the lease of the dead has run out is a matter of its length, and told apart from the recovery itself.

import { Client } from "everstep/client";
import { migrate } from "everstep/runtime";
import pg from "pg";
import { now, round, wait } from "../measure.ts";
import type { OwnScenario } from "../scenario.ts";
import { startWorkerProcess } from "../worker-process.ts";
import { watched } from "../workflows.ts";

const STEPS = 10_000;
const STEPS_LEFT = 10;
const MOST_MS = 250;
const LOOK_EVERY_MS = 2;

export const recovery: OwnScenario = {
  name: "recovery",
  title: `a history of ${STEPS} steps, its worker killed ${STEPS_LEFT} steps before the end`,
  async run({ databaseUrl, redisUrl }) {
    await migrate({ url: databaseUrl });
    const client = new Client({ database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" });
    const doomed = startWorkerProcess({ databaseUrl, redisUrl, dieAtStep: STEPS - STEPS_LEFT });
    await doomed.ready;
    const run = await client.start(watched, { id: "long", input: STEPS });
    await doomed.ended;
    const killedAt = now();
    const heir = startWorkerProcess({ databaseUrl, redisUrl });
    const { workerId, at: readyAt } = await heir.ready;
    const claimedAt = await claimedBy(workerId, databaseUrl);
    await run.result();
    const doneAt = now();
    const firstStep = await heir.firstStep;
    await Promise.all([heir.stop(), client.close()]);
    const toFirstStep = firstStep.at - claimedAt;
    return [
      { name: "killed to owned by another process", value: round((claimedAt - killedAt) / 1000), unit: "s" },
      { name: "of this until that process was ready", value: round((readyAt - killedAt) / 1000), unit: "s" },
      { name: "owned to done", value: round(doneAt - claimedAt, 0), unit: "ms", bar: { atMost: MOST_MS } },
      { name: "owned to the first new step", value: round(toFirstStep, 0), unit: "ms" },
      {
        name: "load and replay",
        value: Math.round((STEPS - STEPS_LEFT) / (toFirstStep / 1000)),
        unit: "events/s",
      },
    ];
  },
};

/** When the only open run changed hands, seen from outside. */
async function claimedBy(workerId: string, databaseUrl: string): Promise<number> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    while (true) {
      const { rows } = await database.query<{ worker_id: string | null }>("select worker_id from everstep.open_run");
      if (rows[0] === undefined) throw new Error("The run was over before anybody saw who owned it.");
      if (rows[0].worker_id === workerId) return now();
      await wait(LOOK_EVERY_MS);
    }
  } finally {
    await database.end();
  }
}
