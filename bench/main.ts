// `npm run bench`: Everstep and the floor of this machine, in one run. `-- --only throughput,latency` runs a part;
// `-- --json` prints one JSON line per figure. DATABASE_URL (and REDIS_URL) name the servers; without DATABASE_URL an
// embedded Postgres is used, with its durability on.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { startEmbeddedPostgres } from "../runtime/embedded/embedded-postgres.ts";
import { systemWorld } from "../runtime/world/system.ts";
import { systemLog } from "../runtime/world/system-log.ts";
import { everstep } from "./engines/everstep.ts";
import { measureFloor } from "./floor.ts";
import type { Figure, Scenario } from "./scenario.ts";
import { fanOut } from "./scenarios/fan-out.ts";
import { latency } from "./scenarios/latency.ts";
import { measureReplay } from "./scenarios/replay.ts";
import { sequential } from "./scenarios/sequential.ts";
import { signals } from "./scenarios/signals.ts";
import { sleepers } from "./scenarios/sleepers.ts";
import { starts } from "./scenarios/starts.ts";
import { throughput } from "./scenarios/throughput.ts";

const SCENARIOS: readonly Scenario[] = [throughput, latency, sequential, fanOut, signals, starts, sleepers];

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
  const dataDir = mkdtempSync(join(tmpdir(), "everstep-bench-"));
  // Postgres may not run as root: the user it then runs as must be able to enter.
  chmodSync(dataDir, 0o755);
  const given = process.env.DATABASE_URL;
  const world = systemWorld({ log: systemLog({ level: "warn" }) });
  const server = given ? undefined : await startEmbeddedPostgres({ world, dataDir: join(dataDir, "postgres") });
  const serverUrl = given ?? server?.url ?? "";
  try {
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
          return await scenario.run(engine);
        } finally {
          await engine.stop();
        }
      });
      report(scenario.name, scenario.title, figures);
    }
  } finally {
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function describeMachine(serverUrl: string): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  const show = async (name: string) => String((await client.query(`show ${name}`)).rows[0]?.[name]);
  const machine = {
    cores: String(cpus().length),
    node: process.version,
    postgres: await show("server_version"),
    fsync: await show("fsync"),
    synchronous_commit: await show("synchronous_commit"),
    leases: process.env.REDIS_URL ? "redis" : "postgres",
  };
  await client.end();
  return machine;
}

/** A database of its own for each measurement: no leftovers, no bloat from the one before. */
async function onFreshDatabase<T>(serverUrl: string, work: (databaseUrl: string) => Promise<T>): Promise<T> {
  const name = `everstep_bench_${process.pid}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.query(`create database ${name}`);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    return await work(url.toString());
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}

await main();
