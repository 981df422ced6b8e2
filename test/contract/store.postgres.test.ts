// The contract of stores, held by the one on Postgres: directly, and through a pooler in transaction mode, where no
// session state survives. Directly also with every lone turn in company, so that both statements that append are held.

import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { createDatabase } from "../support/databases.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { inCompany } from "./store/in-company.ts";
import { storeContract } from "./store.ts";

storeContract("Postgres", async () => {
  const database = await createDatabase();
  const store = openPostgresStore({ url: database.url }, { log: new RecordedLog() });
  return { store, close: () => store.close() };
});

storeContract("Postgres, many turns at once,", async () => {
  const database = await createDatabase();
  const store = openPostgresStore({ url: database.url }, { log: new RecordedLog() });
  return { store: inCompany(store), close: () => store.close() };
});

storeContract("pooled Postgres", async () => {
  const database = await createDatabase();
  const pooler = await startPgbouncer(database.url);
  // A pooler has to have more connections than transactions may be open.
  const transactionsAtOnce = 2;
  const pools = { transactions: transactionsAtOnce };
  const options = { url: pooler.url, preparedStatements: false, serverSettings: false, pools };
  const store = openPostgresStore(options, { log: new RecordedLog() });
  return {
    store,
    transactionsAtOnce,
    close: async () => {
      await store.close();
      await pooler.remove();
    },
  };
});
