// Leases as heartbeats in the table everstep.worker, judged by the database's clock. One statement a call and no
// session state, so a pooler in transaction mode may stand between. The table keeps its memory, so a worker without a
// heartbeat is gone at once; but when the database itself was away, every heartbeat is stale through no fault of the
// workers: nobody is judged until one ttl after the server started, or after we ourselves could reach it again.

import { hostname } from "node:os";
import type pg from "pg";
import { withinBudget } from "../../world/budget.ts";
import { OutageLog } from "../../world/outage.ts";
import { describeFailure } from "../../world/secrets.ts";
import type { World } from "../../world/world.ts";
import { DEFAULT_LEASE_TTL_MS, type LeaseSettings, type Leases } from "../leases.ts";
import { Sight } from "../sight.ts";
import { type LeaseCall, leaseUnavailable } from "../unavailable.ts";
import { openPool } from "./pool.ts";

export interface PostgresLeasesOptions {
  /** A connection string, for two connections of our own; or a pool, which stays the caller's to close. */
  readonly database: string | pg.Pool;
  readonly world: World;
  readonly settings?: LeaseSettings;
  /** How long a call may take, connecting included. Default 2,000. */
  readonly callBudgetMs?: number;
}

// A heartbeat lost in a crash of the server is made up for by the grace after its start, so it waits for no disk.
const RENEW = `
  insert into everstep.worker as w (worker_id, heartbeat_at, host, pid, started_at)
  values ($1, clock_timestamp(), $2, $3, clock_timestamp())
  on conflict (worker_id) do update set heartbeat_at = excluded.heartbeat_at
  returning set_config('synchronous_commit', 'off', true)`;

// The row stays, as a trace of who was here.
const RELEASE = "update everstep.worker set heartbeat_at = to_timestamp(0) where worker_id = $1";

// A heartbeat from the future means that the clock was set back; believing it would keep the dead alive until then.
const EXPIRED = `
  select pg_postmaster_start_time() > statement_timestamp() - $2 * interval '1 ms' as is_grace,
    array(
      select id from unnest($1::text[]) id where not exists (
        select from everstep.worker w where w.worker_id = id::uuid
          and w.heartbeat_at > statement_timestamp() - $2 * interval '1 ms'
          and w.heartbeat_at < statement_timestamp() + $2 * interval '1 ms')) as expired`;

export class PostgresLeases implements Leases {
  readonly #pool: pg.Pool;
  readonly #ownsPool: boolean;
  readonly #url: string;
  readonly #world: World;
  readonly #ttlMs: number;
  readonly #callBudgetMs: number;
  readonly #sight: Sight;
  readonly #outage: OutageLog;

  constructor({ database, world, settings, callBudgetMs = 2_000 }: PostgresLeasesOptions) {
    this.#ownsPool = typeof database === "string";
    this.#pool = typeof database === "string" ? openPool({ url: database, callBudgetMs }) : database;
    this.#url = typeof database === "string" ? database : (database.options.connectionString ?? "");
    this.#world = world;
    this.#ttlMs = settings?.ttlMs ?? DEFAULT_LEASE_TTL_MS;
    this.#callBudgetMs = callBudgetMs;
    this.#sight = new Sight(world.clock, this.#ttlMs);
    this.#outage = new OutageLog(world, {
      down: "The Postgres of the leases does not answer. No worker is declared gone until it is back.",
      up: "The Postgres of the leases answers again.",
    });
  }

  async renew(workerId: string): Promise<void> {
    await this.#query({ keeper: "Postgres", call: "renew", workerId }, RENEW, [workerId, hostname(), process.pid]);
  }

  async release(workerId: string): Promise<void> {
    await this.#query({ keeper: "Postgres", call: "release", workerId }, RELEASE, [workerId]);
  }

  async expired(workerIds: readonly string[]): Promise<string[]> {
    const rows = await this.#query({ keeper: "Postgres", call: "expired" }, EXPIRED, [workerIds, this.#ttlMs]);
    const judged = rows[0] as { is_grace: boolean; expired: string[] } | undefined;
    return judged === undefined || judged.is_grace || this.#sight.isBlind() ? [] : judged.expired;
  }

  async close(): Promise<void> {
    if (this.#ownsPool && !this.#pool.ending) await this.#pool.end();
  }

  async #query(call: LeaseCall, text: string, values: unknown[]): Promise<unknown[]> {
    const late = () => new Error(`no answer within ${this.#callBudgetMs} ms`);
    try {
      const answer = this.#pool.query(text, values);
      const { rows } = await withinBudget(this.#world.clock, this.#callBudgetMs, answer, late);
      this.#sight.answered();
      this.#outage.up();
      return rows;
    } catch (error) {
      this.#sight.failed();
      if (!this.#pool.ending) this.#outage.down(describeFailure(error, this.#url));
      throw leaseUnavailable(call, error, this.#url);
    }
  }
}
