// Leases in Redis: one key per worker that expires by itself, judged by Redis's clock alone. An emptied, restarted or
// unreachable Redis makes nobody look dead: see scripts.ts for what the server remembers, sight.ts for what we do.

import { EverstepError } from "../../../sdk/protocol/errors.ts";
import type { World } from "../../world/world.ts";
import { DEFAULT_LEASE_TTL_MS, type LeaseSettings, type Leases } from "../leases.ts";
import { Sight } from "../sight.ts";
import { type LeaseCall, leaseUnavailable } from "../unavailable.ts";
import { RedisConnection } from "./connection.ts";
import { bornKey, EXPIRED, leaseKey, RELEASE, RENEW } from "./scripts.ts";

export interface RedisLeasesOptions {
  readonly url: string;
  /** Workers that share it know of each other. Default "everstep". */
  readonly keyPrefix?: string;
  readonly world: World;
  readonly settings?: LeaseSettings;
  /** How long a call may take, connecting included. Default 250. */
  readonly callBudgetMs?: number;
}

export class RedisLeases implements Leases {
  readonly #url: string;
  readonly #prefix: string;
  readonly #ttlMs: number;
  /** Two processes that were given one worker id by mistake do not renew each other's lease. */
  readonly #holder: string;
  readonly #sight: Sight;
  readonly #connection: RedisConnection;

  constructor({ url, keyPrefix = "everstep", world, settings, callBudgetMs = 250 }: RedisLeasesOptions) {
    if (keyPrefix === "" || /[{}]/.test(keyPrefix)) {
      throw new EverstepError("CONFIGURATION_INVALID", "The Redis key prefix must not be empty or contain braces.");
    }
    this.#url = url;
    this.#prefix = keyPrefix;
    this.#ttlMs = settings?.ttlMs ?? DEFAULT_LEASE_TTL_MS;
    this.#holder = world.chance.uuid();
    this.#sight = new Sight(world.clock, this.#ttlMs);
    this.#connection = new RedisConnection({ url, world, callBudgetMs, onLost: () => this.#sight.failed() });
  }

  async renew(workerId: string): Promise<void> {
    const call: LeaseCall = { keeper: "Redis", call: "renew", workerId };
    const keys = [bornKey(this.#prefix), leaseKey(this.#prefix, workerId)];
    const held = await this.#run(call, RENEW, keys, [this.#holder, String(this.#ttlMs)]);
    if (held !== 1) throw leaseUnavailable(call, "another process holds it. Give each process a worker id of its own");
  }

  async release(workerId: string): Promise<void> {
    const call: LeaseCall = { keeper: "Redis", call: "release", workerId };
    await this.#run(call, RELEASE, [leaseKey(this.#prefix, workerId)], [this.#holder]);
  }

  async expired(workerIds: readonly string[]): Promise<string[]> {
    const keys = [bornKey(this.#prefix), ...workerIds.map((workerId) => leaseKey(this.#prefix, workerId))];
    const gone = await this.#run({ keeper: "Redis", call: "expired" }, EXPIRED, keys, [String(this.#ttlMs)]);
    if (!Array.isArray(gone) || this.#sight.isBlind()) return [];
    const positions = new Set<unknown>(gone);
    return workerIds.filter((_, index) => positions.has(index + 1));
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  async #run(call: LeaseCall, script: string, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    try {
      const answer = await this.#connection.call((redis) => redis.eval(script, keys.length, ...keys, ...args));
      this.#sight.answered();
      return answer;
    } catch (error) {
      this.#sight.failed();
      throw leaseUnavailable(call, error, this.#url);
    }
  }
}
