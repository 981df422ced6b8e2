// What one run costs, counted from both sides: by the process that executes it, and by its database.

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { migrate } from "../../runtime/store/postgres/migrate.ts";
import type { CountedLoad, CountedWork } from "./counted-runs.ts";
import type { PrivatePostgres } from "./private-postgres.ts";
import { mapCounts, readWriteCounts, type WriteCounts } from "./write-counts.ts";

export type RunCost = WriteCounts & Pick<CountedWork, "roundTrips" | "allocatedBytes">;
export type Load = Omit<CountedLoad, "databaseUrl">;

const execute = promisify(execFile);
const script = fileURLToPath(new URL("./counted-runs.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/**
 * Per run of each load, one load after the other on a database of their own. What a start and an end cost without any
 * runs is taken off. `conditions` chooses what is executed: the sources, or without any what was built.
 */
export async function costsOfRuns(
  server: PrivatePostgres,
  loads: readonly Load[],
  conditions: readonly string[],
): Promise<RunCost[]> {
  const name = `everstep_count_${randomBytes(6).toString("hex")}`;
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const databaseUrl = url.href;
  await onServer(server.url, `create database ${name}`);
  await migrate({ url: databaseUrl });
  const countsOf = async (load: Load) => {
    const before = await readWriteCounts(server, databaseUrl);
    const work = await inProcess({ ...load, databaseUrl }, conditions);
    const after = await readWriteCounts(server, databaseUrl);
    return { work, made: mapCounts(after, (value, count) => value - before[count]) };
  };
  const none: Load = { runs: 0, steps: 0, atOnce: false };
  // Once in vain: the first process of a database finds pages and catalogs that no other has to read again.
  await countsOf(none);
  const idle = await countsOf(none);
  const costs: RunCost[] = [];
  for (const load of loads) {
    const { work, made } = await countsOf(load);
    const { roundTrips, allocatedBytes } = work;
    const perRun = mapCounts(made, (value, count) => (value - idle.made[count]) / work.runs);
    costs.push({ ...perRun, roundTrips, allocatedBytes });
  }
  await onServer(server.url, `drop database ${name} with (force)`);
  return costs;
}

async function inProcess(load: CountedLoad, conditions: readonly string[]): Promise<CountedWork> {
  const chosen = conditions.map((condition) => `--conditions=${condition}`);
  const { stdout } = await execute(process.execPath, [
    "--expose-gc",
    ...chosen,
    "--import",
    tsx,
    script,
    JSON.stringify(load),
  ]);
  return JSON.parse(stdout) as CountedWork;
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}
