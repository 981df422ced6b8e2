// The one place that builds real parts, and that ends them in the right order.

import { EverstepError } from "../sdk/protocol/errors.ts";
import { CodecStore } from "./codecs/codec-store.ts";
import type { PayloadCodec } from "./codecs/payload-codec.ts";
import { EitherLeases } from "./lease/either.ts";
import { DEFAULT_LEASE_TTL_MS, type Leases } from "./lease/leases.ts";
import { PostgresLeases } from "./lease/postgres/postgres-leases.ts";
import { RedisLeases } from "./lease/redis/redis-leases.ts";
import { LocalWorkers } from "./service/local-workers.ts";
import { openPostgresStore } from "./store/postgres/postgres-store.ts";
import type { Store } from "./store/store.ts";
import { PostgresWakeups } from "./wake/postgres/postgres-wakeups.ts";
import { RedisWakeups } from "./wake/redis/redis-wakeups.ts";
import type { Wakeups } from "./wake/wakeups.ts";
import { systemWorld } from "./world/system.ts";
import { type LogLevel, systemLog } from "./world/system-log.ts";
import type { Log, World } from "./world/world.ts";

export interface ConnectionOptions {
  /** A postgres:// URL. Default: the environment variable DATABASE_URL. */
  readonly database?: string | undefined;
  /** A redis:// URL for leases and wake-ups. Default: the environment variable REDIS_URL; without it, Postgres does both. */
  readonly redis?: string | undefined;
  /** Separates deployments that share a Redis. Default "everstep". */
  readonly redisKeyPrefix?: string | undefined;
  /**
   * Most Postgres connections by kind of work. Default `{ hot: 4, control: 2, client: 4, transactions: 4 }`. So many
   * transaction steps of a worker are under way at once as `transactions` says; others wait for their turn.
   */
  readonly pools?: {
    readonly hot?: number;
    readonly control?: number;
    readonly client?: number;
    readonly transactions?: number;
  };
  /**
   * Set to true when a pooler in transaction mode (PgBouncer) stands before Postgres: no prepared statements, no start-up
   * parameters, and no LISTEN (hints then need Redis, else polling finds the work). Default false.
   */
  readonly isPooled?: boolean;
  /**
   * What payloads go through on their way into the database, in order, and back on their way out: the same for every
   * worker and client. Codecs come from "everstep/codecs". Default none.
   */
  readonly codecs?: readonly PayloadCodec[];
  /** Where log lines go. Default: JSON lines to standard output. */
  readonly log?: Log;
  /** Level of the default log. Default "info", or the environment variable EVERSTEP_LOG_LEVEL. */
  readonly logLevel?: LogLevel;
}

export interface Parts {
  readonly world: World;
  readonly store: Store;
  readonly wakeups: Wakeups;
  /** The workers of this process on the same database. */
  readonly locals: LocalWorkers;
  openLeases(ttlMs?: number): Leases;
  close(): Promise<void>;
}

/** Throws CONFIGURATION_INVALID. Connects lazily. */
export function openParts(options: ConnectionOptions = {}): Parts {
  const url = options.database ?? process.env.DATABASE_URL;
  if (url === undefined || url === "") {
    const message =
      "No database is named. Pass `database`, or set DATABASE_URL to a postgres:// URL; `everstep dev` brings its own.";
    throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "database" } });
  }
  const redis = options.redis ?? process.env.REDIS_URL;
  const keyPrefix = options.redisKeyPrefix ?? "everstep";
  const world = systemWorld({ log: options.log ?? systemLog({ level: options.logLevel ?? levelFromEnvironment() }) });
  const isDirect = options.isPooled !== true;
  const { codecs = [] } = options;
  const kept = openPostgresStore(
    {
      url,
      preparedStatements: isDirect,
      serverSettings: isDirect,
      ...(options.pools === undefined ? {} : { pools: options.pools }),
    },
    world,
  );
  const store = codecs.length === 0 ? kept : new CodecStore(kept, codecs, world);
  const hasRedis = redis !== undefined && redis !== "";
  const wakeups = hasRedis
    ? shareWakeups(`${redis} ${keyPrefix}`, () => new RedisWakeups({ url: redis, keyPrefix, world }))
    : shareWakeups(url, () => new PostgresWakeups({ url, world }));
  const opened: Leases[] = [];
  return {
    world,
    store,
    wakeups,
    locals: localsOf(url),
    openLeases(ttlMs = DEFAULT_LEASE_TTL_MS) {
      const settings = { ttlMs };
      const postgres = new PostgresLeases({ database: url, world, settings });
      const leases = hasRedis
        ? new EitherLeases({ primary: new RedisLeases({ url: redis, keyPrefix, world, settings }), fallback: postgres })
        : postgres;
      opened.push(leases);
      return leases;
    },
    async close() {
      await Promise.all(opened.map((leases) => leases.close()));
      await wakeups.close();
      await store.close();
    },
  };
}

// A worker and a client of one process share one end, so that they wake each other without a way out and back.
const shared = new Map<string, { readonly wakeups: Wakeups; users: number }>();

function shareWakeups(key: string, open: () => Wakeups): Wakeups {
  const entry = shared.get(key) ?? { wakeups: open(), users: 0 };
  shared.set(key, entry);
  entry.users++;
  let isClosed = false;
  return {
    publish: (topics) => entry.wakeups.publish(topics),
    subscribe: (topic, listen) => entry.wakeups.subscribe(topic, listen),
    async close() {
      if (isClosed) return;
      isClosed = true;
      if (--entry.users > 0) return;
      shared.delete(key);
      await entry.wakeups.close();
    },
  };
}

// As few as there are databases: they are not taken away again.
const localsByUrl = new Map<string, LocalWorkers>();

function localsOf(url: string): LocalWorkers {
  const locals = localsByUrl.get(url) ?? new LocalWorkers();
  localsByUrl.set(url, locals);
  return locals;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

function levelFromEnvironment(): LogLevel {
  const given = process.env.EVERSTEP_LOG_LEVEL;
  if (given === undefined || given === "") return "info";
  const level = LEVELS.find((each) => each === given);
  if (level !== undefined) return level;
  const message = `EVERSTEP_LOG_LEVEL takes one of ${LEVELS.join(", ")}; got "${given}".`;
  throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "EVERSTEP_LOG_LEVEL" } });
}
