// `npm run bench`: Everstep and the floor of this machine, in one run. `-- --only throughput,latency` runs a part;
// `-- --json` prints one JSON line per figure; `-- --long` makes the memory scenario a long one. DATABASE_URL (and
// REDIS_URL) name the servers; without DATABASE_URL an embedded Postgres is used, with its durability on.

import { parseArgs } from "node:util";
import { describeMachine, onFreshDatabase, onPostgres } from "./database.ts";
import everstep from "./engines/everstep.ts";
import { measureFloor } from "./floor.ts";
import { barText, type Figure, holdsBar, type Size } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { OWN_SCENARIOS } from "./scenarios/own.ts";
import { measureReplay } from "./scenarios/replay.ts";

const FULL: Size = { factor: 1, rounds: 3 };

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    json: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
  },
});
const names = ["floor", "replay", ...SCENARIOS.map(({ name }) => name), ...OWN_SCENARIOS.map(({ name }) => name)];
const only = options.only?.split(",");
const isWanted = (name: string) => only === undefined || only.includes(name);

function report(scenario: string, title: string, figures: readonly Figure[]): void {
  if (options.json) {
    for (const figure of figures) console.log(JSON.stringify({ scenario, ...figure }));
    return;
  }
  console.log(`\n${scenario}: ${title}`);
  for (const figure of figures) {
    const value = figure.value.toLocaleString("en-US", { maximumFractionDigits: 4 });
    console.log(`  ${figure.name.padEnd(38)} ${value.padStart(12)} ${figure.unit.padEnd(9)}${barOf(figure)}`.trimEnd());
  }
}

function barOf(figure: Figure): string {
  if (figure.bar === undefined) return "";
  return `  ${holdsBar(figure) ? "holds" : "MISSES"} ${barText(figure)}`;
}

async function main(): Promise<void> {
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    console.error(`--only does not know ${unknown.join(", ")}. It knows ${names.join(", ")}.`);
    process.exit(2);
  }
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
    for (const scenario of OWN_SCENARIOS.filter(({ name }) => isWanted(name))) {
      const figures = await onFreshDatabase(serverUrl, (databaseUrl) =>
        scenario.run({ databaseUrl, redisUrl: process.env.REDIS_URL }, options.long),
      );
      report(scenario.name, scenario.title, figures);
    }
  });
}

await main();
