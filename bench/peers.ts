// `npm run bench:peers`: the same scenarios with Everstep and its peers, side by side: A B C A B C …, each measurement in
// a process and a database of its own, beside the floor of the same minutes; medians of the rounds.
// `-- --only throughput,latency --engines everstep,dbos --rounds 3 --size 0.5`; `--quick` to try it out; `--json` prints
// one JSON line per figure and engine, and the table to the error output.

import { parseArgs } from "node:util";
import { describeMachine, onFreshDatabase, onPostgres } from "./database.ts";
import { measureFloor } from "./floor.ts";
import { installPackages } from "./peers/install.ts";
import { type Contestant, ROSTER } from "./peers/roster.ts";
import { runChild } from "./peers/run-child.ts";
import { compare, type Floor, type Gap, type Measurement, toMarkdown } from "./peers/table.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";

const PGBENCH_S = 3;

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    engines: { type: "string" },
    rounds: { type: "string" },
    size: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const rounds = positive("rounds", options.rounds ?? (options.quick ? "1" : "3"));
const factor = positive("size", options.size ?? (options.quick ? "0.05" : "1"));
const scenarios = chosen("--only", options.only, SCENARIOS);
const contestants = chosen("--engines", options.engines, ROSTER);

const measurements: Measurement[] = [];
const gaps: Gap[] = [];
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const running = contestants.filter((contestant) => {
    const problem = installPackages(contestant);
    if (problem !== undefined)
      for (const { name } of scenarios)
        gaps.push({ scenario: name, engine: contestant.name, reason: problem, isWhole: true });
    return problem === undefined;
  });
  await onPostgres(async (serverUrl) => {
    const machine = { ...(await describeMachine(serverUrl)), rounds: String(rounds), size: String(factor) };
    if (options.json) console.log(JSON.stringify(machine));
    for (const scenario of scenarios) {
      tell(`\n${scenario.name}: ${scenario.title}`);
      for (let round = 1; round <= rounds; round++) await runRound(serverUrl, scenario, round, running);
    }
    report(machine);
  });
}

async function runRound(
  serverUrl: string,
  scenario: Scenario,
  round: number,
  running: readonly Contestant[],
): Promise<void> {
  const floor = await onFreshDatabase(serverUrl, readFloor);
  tell(`  round ${round}: pgbench ${floor.inserts ?? "–"} tx/s, single commit ${floor.commitMs} ms`);
  for (const contestant of running) {
    // What it said it cannot do, it will not be able to do in the next round.
    if (gaps.some((gap) => gap.engine === contestant.name && gap.scenario === scenario.name && gap.isWhole)) continue;
    const outcome = await onFreshDatabase(serverUrl, (databaseUrl) =>
      runChild(contestant, { scenario: scenario.name, databaseUrl, redisUrl: process.env.REDIS_URL, factor }),
    );
    const about = { scenario: scenario.name, engine: contestant.name };
    if (outcome.type === "unable") {
      gaps.push({ ...about, reason: outcome.reason, isWhole: true });
      tell(`    ${contestant.name.padEnd(16)} – ${outcome.reason}`);
      continue;
    }
    measurements.push({ ...about, floor, figures: outcome.figures });
    for (const reason of outcome.missing) gaps.push({ ...about, reason, isWhole: false });
    const shown = outcome.figures.map(({ name, value, unit }) => `${name} ${value} ${unit}`).join(", ");
    tell(`    ${contestant.name.padEnd(16)} ${shown}`);
  }
}

async function readFloor(databaseUrl: string): Promise<Floor> {
  const figures = await measureFloor(databaseUrl, PGBENCH_S);
  const floorOf = (name: string) => figures.find((figure) => figure.name === name)?.value;
  const commitMs = floorOf("single commit p50");
  if (commitMs === undefined) throw new Error("The floor has no single commit.");
  return { inserts: floorOf("pgbench insert, 16 clients"), commitMs };
}

function report(machine: Readonly<Record<string, string>>): void {
  const lines = compare(measurements);
  if (options.json) for (const line of lines) console.log(JSON.stringify(line));
  const described = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
  const text = `\n${described.join(", ")}\n\n${toMarkdown(lines, gaps, contestants)}`;
  if (options.json) tell(text);
  else console.log(text);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  tell(`--${name} is a number above 0, not ${text}.`);
  process.exit(2);
}

function chosen<T extends { readonly name: string }>(option: string, list: string | undefined, all: readonly T[]): T[] {
  const names = list?.split(",");
  const unknown = names?.filter((name) => !all.some((one) => one.name === name)) ?? [];
  if (unknown.length === 0) return all.filter(({ name }) => names === undefined || names.includes(name));
  tell(`${option} does not know ${unknown.join(", ")}. It knows ${all.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}

await main();
