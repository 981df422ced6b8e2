// `everstep migrate`: brings a database to this release's schema. Run it before the workers of a new release start; it
// may be run again, and at the same time, without harm.

import { Command } from "commander";
import { migrate } from "../store/postgres/migrate.ts";
import { type DatabaseOption, databaseOption, requireDatabase, withoutPassword } from "./database-option.ts";

export function migrateCommand(): Command {
  return new Command("migrate")
    .description("bring a database to this release's schema; safe to repeat")
    .addOption(databaseOption())
    .action(async (options: DatabaseOption) => {
      const url = requireDatabase(options);
      const applied = await migrate({ url });
      const where = withoutPassword(url);
      if (applied.length === 0) console.log(`${where} is up to date.`);
      else console.log(`${where}: applied ${applied.join(", ")}.`);
    });
}
