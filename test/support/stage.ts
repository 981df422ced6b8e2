// What an end-to-end test stands on: a database of its own, a witness, a client, and worker processes that share them.

import pg from "pg";
import { onTestFinished } from "vitest";
import { Client } from "../../runtime/client.ts";
import { createDatabase } from "./databases.ts";
import { sharedRedis } from "./redis.ts";
import { openWitness, type Witness } from "./witness.ts";
import { type PortableWorkerOptions, spawnWorkerProcess, type WorkerProcess, workerStarted } from "./worker-process.ts";

export interface Stage {
  readonly client: Client;
  readonly witness: Witness;
  readonly databaseUrl: string;
  /** A worker process on this stage, once it claims runs. */
  readonly worker: (
    module: string,
    options?: PortableWorkerOptions,
    env?: Record<string, string>,
  ) => Promise<WorkerProcess>;
  /** The same, at once: it may end before it claims anything. */
  readonly spawn: (module: string, options?: PortableWorkerOptions, env?: Record<string, string>) => WorkerProcess;
  /** Asks the database itself, past Everstep. */
  readonly ask: <Row>(text: string, values?: unknown[]) => Promise<Row[]>;
}

export interface StageOptions {
  readonly databaseUrl?: string;
  /** Null: leases and wake-ups through Postgres. Default: the shared Redis. */
  readonly redisUrl?: string | null;
  /** For clients and workers alike. */
  readonly connection?: PortableWorkerOptions;
}

/** Short, so that a lost worker is noticed while the test watches. */
const LEASE_TTL_MS = 1_500;

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const databaseUrl = options.databaseUrl ?? (await createDatabase()).url;
  const shared = options.redisUrl === undefined ? sharedRedis() : undefined;
  const redis = shared?.url ?? options.redisUrl ?? "";
  const redisKeyPrefix = shared?.prefix ?? "everstep";
  const witness = openWitness();
  const connection: PortableWorkerOptions = { database: databaseUrl, redis, redisKeyPrefix, ...options.connection };
  const client = new Client({ ...connection, logLevel: "error" });
  const spawn: Stage["spawn"] = (module, settings = {}, env = {}) =>
    spawnWorkerProcess({
      ...connection,
      leaseTtlMs: LEASE_TTL_MS,
      ...settings,
      module,
      env: { ...witness.env, ...env },
    });
  onTestFinished(async () => {
    await client.close();
    witness.remove();
  });
  return {
    client,
    witness,
    databaseUrl,
    worker: (...which) => workerStarted(spawn(...which)),
    spawn,
    async ask<Row>(text: string, values: unknown[] = []) {
      const direct = new pg.Client({ connectionString: databaseUrl });
      direct.on("error", () => {});
      await direct.connect();
      try {
        return (await direct.query(text, values)).rows as Row[];
      } finally {
        await direct.end();
      }
    },
  };
}
