// `npm run bench:growth`: how cost grows with the work, as Markdown tables. `-- --only rows,payload` makes some of them;
// `-- --fill 0.1` makes the database of the rows table smaller; `-- --json` prints one JSON line per figure.

import { parseArgs } from "node:util";
import { describeMachine, onFreshDatabase, onPostgres } from "./database.ts";
import { fanOutWidth } from "./growth/fan-out.ts";
import { historyLength } from "./growth/history.ts";
import { openRuns } from "./growth/open-runs.ts";
import { payloadSize } from "./growth/payload.ts";
import { rowsStored } from "./growth/rows.ts";
import { type GrowthRow, type GrowthTable, toMarkdown } from "./growth/table.ts";
import { workers } from "./growth/workers.ts";
import { barText, holdsBar } from "./scenario.ts";

const TABLES: readonly GrowthTable[] = [openRuns, historyLength, fanOutWidth, payloadSize, workers, rowsStored];

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    fill: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

async function main(): Promise<void> {
  const only = options.only?.split(",");
  const unknown = only?.filter((name) => !TABLES.some((table) => table.name === name)) ?? [];
  if (unknown.length > 0) {
    tell(`--only does not know ${unknown.join(", ")}. It knows ${TABLES.map(({ name }) => name).join(", ")}.`);
    process.exit(2);
  }
  const fill = Number(options.fill);
  if (!(fill > 0)) {
    tell(`--fill is a number above 0, not ${options.fill}.`);
    process.exit(2);
  }
  await onPostgres(async (serverUrl) => {
    const machine = await describeMachine(serverUrl);
    const described = Object.entries(machine).map(([name, value]) => `${name} ${value}`);
    console.log(options.json ? JSON.stringify(machine) : described.join(", "));
    for (const table of TABLES.filter(({ name }) => only === undefined || only.includes(name))) {
      const rows = await onFreshDatabase(serverUrl, (databaseUrl) => measure(table, databaseUrl, fill));
      if (!options.json) console.log(`\n### ${table.name}: ${table.title}\n\n${toMarkdown(table, rows)}`);
      const missed = rows.flatMap(({ at, figures }) =>
        figures
          .filter((figure) => !holdsBar(figure))
          .map((figure) => `- MISSED: ${figure.name} ${barText(figure)} ${figure.unit}, in the row of ${at}`),
      );
      if (missed.length > 0 && !options.json) console.log(`\n${missed.join("\n")}`);
    }
  });
}

async function measure(table: GrowthTable, databaseUrl: string, fill: number): Promise<readonly GrowthRow[]> {
  tell(`${table.name}…`);
  const rows: GrowthRow[] = [];
  await table.run({ databaseUrl, redisUrl: process.env.REDIS_URL, fill }, (row) => {
    rows.push(row);
    tell(`  ${row.at}`);
    if (options.json) {
      for (const figure of row.figures) console.log(JSON.stringify({ table: table.name, at: row.at, ...figure }));
    }
  });
  return rows;
}

await main();
