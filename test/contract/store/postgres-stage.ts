// A stage on a database of its own, and a connection beside the store's: for what only transactions at once can show.

import pg from "pg";
import { onTestFinished } from "vitest";
import { openPostgresStore } from "../../../runtime/store/postgres/postgres-store.ts";
import { createDatabase } from "../../support/databases.ts";
import { RecordedLog } from "../../support/recorded-log.ts";
import { Stage } from "./stage.ts";

interface PostgresStage {
  readonly stage: Stage;
  readonly other: pg.Client;
  readonly url: string;
}

export async function openPostgresStage(): Promise<PostgresStage> {
  const { url } = await createDatabase();
  const store = openPostgresStore({ url }, { log: new RecordedLog() });
  const stage = new Stage();
  await stage.open(Promise.resolve({ store, close: () => store.close() }));
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  onTestFinished(async () => {
    await other.end();
    await stage.close();
  });
  return { stage, other, url };
}
