// `npm run bench`: Everstep and the floor of this machine, in one run. `-- --only throughput,latency` runs a part;
// `-- --json` prints one JSON line per figure. DATABASE_URL (and REDIS_URL) name the servers; without DATABASE_URL an
// embedded Postgres is used, with its durability on.

import { parseArgs } from "node:util";
import { describeMachine, onFreshDatabase, onPostgres } from "./database.ts";
import everstep from "./engines/everstep.ts";
import { measureFloor } from "./floor.ts";
import type { Figure, Size } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { measureReplay } from "./scenarios/replay.ts";

const FULL: Size = { factor: 1, rounds: 3 };

const { values: options } = parseArgs({
  options: { only: { type: "string" }, json: { type: "boolean", default: false } },
});
const only = options.only?.split(",");
const isWanted = (name: string) => only === undefined || only.includes(name);

function report(scenario: string, title: string, figures: readonly Figure[]): void {
  if (options.json) {
    for (const figure of figures) console.log(JSON.stringify({ scenario, ...figure }));
    return;
  }
  console.log(`\n${scenario}: ${title}`);
  for (const { name, value, unit } of figures)
    console.log(`  ${name.padEnd(34)} ${value.toLocaleString("en-US").padStart(12)} ${unit}`);
}

async function main(): Promise<void> {
  await onPostgres(async (serverUrl) => {
    const machine = await describeMachine(serverUrl);
    if (options.json) console.log(JSON.stringify(machine));
    else
      console.log(
        Object.entries(machine)
          .map(([name, value]) => `${name}: ${value}`)
          .join(", "),
      );
    if (isWanted("floor"))
      report("floor", "this machine at its least effort", await onFreshDatabase(serverUrl, measureFloor));
    if (isWanted("replay")) report("replay", "in memory, without a database", await measureReplay());
    for (const scenario of SCENARIOS.filter(({ name }) => isWanted(name))) {
      const figures = await onFreshDatabase(serverUrl, async (databaseUrl) => {
        const engine = everstep({ databaseUrl, redisUrl: process.env.REDIS_URL });
        await engine.start();
        try {
          return await scenario.run(engine, FULL);
        } finally {
          await engine.stop();
        }
      });
      report(scenario.name, scenario.title, figures);
    }
  });
}

await main();
