// `everstep dev`: everything for a day's work in one process, with nothing installed: a database, migrated, and a worker
// for the named files. It touches no database of yours unless told to with --database.

import { Command, InvalidArgumentError, Option } from "commander";
import { embedded } from "../embed.ts";
import { migrate } from "../store/postgres/migrate.ts";
import { Worker } from "../worker.ts";
import { addCodecsOption, type CodecsOption, importCodecs } from "./codecs-option.ts";
import { requireDatabase, withoutPassword } from "./database-option.ts";
import { formatFacts } from "./table.ts";
import { importWorkflows } from "./workflow-files.ts";

interface DevOptions extends CodecsOption {
  /** True when the option has no value. */
  readonly database?: string | true;
  readonly dataDir?: string;
  readonly port?: number;
}

interface DevDatabase {
  readonly url: string;
  readonly isEmbedded: boolean;
  stop(): Promise<void>;
}

export function devCommand(): Command {
  const command = new Command("dev")
    .description("a database and a worker for the workflows that files export, in one process")
    .argument("<files...>", "modules that export workflows")
    .option("--database [url]", "use this Postgres, or the one in DATABASE_URL, instead of the embedded one")
    .option("--data-dir <folder>", "where the embedded Postgres keeps its data (default: .everstep/postgres)")
    .addOption(
      new Option("--port <number>", "the embedded Postgres's port (default: a free one, kept)").argParser(parsePort),
    );
  return addCodecsOption(command).action(async (files: readonly string[], options: DevOptions) => {
    const workflows = await importWorkflows(files);
    const codecs = await importCodecs(options);
    const database = await openDatabase(options);
    try {
      // An embedded database is this project's alone, so a Redis in the environment is not its business.
      const redis = database.isEmbedded ? { redis: "" } : {};
      const worker = new Worker({ workflows, database: database.url, codecs, ...redis });
      const names = workflows.map(({ name }) => name);
      console.log(introduce(database, names));
      await worker.run();
    } finally {
      await database.stop();
    }
  });
}

async function openDatabase({ database, dataDir, port }: DevOptions): Promise<DevDatabase> {
  if (database !== undefined) {
    const { DATABASE_URL } = process.env;
    const named = database === true ? DATABASE_URL : database;
    const url = requireDatabase(named === undefined ? {} : { database: named });
    await migrate({ url });
    return { url, isEmbedded: false, stop: async () => {} };
  }
  const { databaseUrl, stop } = await embedded({
    redis: "",
    logLevel: "warn",
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(port === undefined ? {} : { port }),
  });
  return { url: databaseUrl, isEmbedded: true, stop };
}

function introduce({ url, isEmbedded }: DevDatabase, names: readonly string[]): string {
  const shown = withoutPassword(url);
  const facts = formatFacts({
    workflows: names.join(", "),
    database: isEmbedded ? `${shown} (embedded)` : shown,
  });
  return [
    facts,
    "",
    "From another terminal:",
    `  npx everstep start ${names[0]} --input '{}' --database ${shown}`,
    "From code:",
    `  const client = new Client({ database: "${shown}" });`,
    "",
  ].join("\n");
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text);
  throw new InvalidArgumentError("It takes a number from 1 to 65535.");
}
