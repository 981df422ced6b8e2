// Everstep with nothing else installed: an embedded Postgres, a worker and a client in this process.

import type { AnyWorkflow } from "../sdk/workflow/workflow.ts";
import { Client } from "./client.ts";
import { startEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
import { migrate } from "./store/postgres/migrate.ts";
import { Worker, type WorkerOptions } from "./worker.ts";
import { systemWorld } from "./world/system.ts";
import { systemLog } from "./world/system-log.ts";

export interface EmbeddedOptions extends Omit<WorkerOptions, "database" | "workflows"> {
  /** What the worker of this process executes. Without any, no worker is started. */
  readonly workflows?: readonly AnyWorkflow[];
  /** Where the data is kept between starts. Default ".everstep/postgres" in the working directory. */
  readonly dataDir?: string;
  /** TCP port of the database. Default: a free one, the same at every start if possible. */
  readonly port?: number;
}

export interface Embedded {
  /** For other processes: workers, clients, psql. */
  readonly databaseUrl: string;
  readonly client: Client;
  readonly worker: Worker | undefined;
  /** Stops the worker, the client and, if it was started here, the database. */
  stop(): Promise<void>;
}

/**
 * Starts a Postgres of its own (package `embedded-postgres`), migrates it, and starts a worker for `workflows` in this
 * process. Data stays in `dataDir`. Leases and wake-ups go through Postgres unless a Redis is named.
 *
 * Throws EMBEDDED_UNAVAILABLE when the package is missing or Postgres cannot run here, and what `Worker` throws.
 */
export async function embedded(options: EmbeddedOptions = {}): Promise<Embedded> {
  const { workflows = [], dataDir, port, ...rest } = options;
  const log = options.log ?? systemLog({ level: options.logLevel ?? "info" });
  const database = await startEmbeddedPostgres({
    world: systemWorld({ log }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(port === undefined ? {} : { port }),
  });
  try {
    await migrate({ url: database.url });
    // A Redis in the environment belongs to another database: only one that is named here is used.
    const connection = { ...rest, log, database: database.url, redis: options.redis ?? "" };
    const worker = workflows.length === 0 ? undefined : new Worker({ ...connection, workflows });
    await worker?.start();
    const client = new Client(connection);
    return {
      databaseUrl: database.url,
      client,
      worker,
      async stop() {
        await client.close();
        await worker?.stop();
        await database.stop();
      },
    };
  } catch (error) {
    await database.stop();
    throw error;
  }
}
