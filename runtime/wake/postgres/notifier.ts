// Sends notifications on a connection of its own, outside every transaction that matters: NOTIFY takes a lock on the
// whole database at commit. For the same reason the commit does not wait for the disk while it holds that lock.

import pg from "pg";
import { packTopics } from "./payloads.ts";

export const CHANNEL = "everstep_wake";

/** A statement of this age is given up, and its hints with it. */
const PATIENCE_MS = 3_000;

export class Notifier {
  readonly #pool: pg.Pool;
  readonly #sender: string;

  constructor({ url, sender }: { readonly url: string; readonly sender: string }) {
    this.#sender = sender;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: "everstep-wake-publish",
      max: 1,
      connectionTimeoutMillis: PATIENCE_MS,
      query_timeout: PATIENCE_MS,
      keepAlive: true,
    });
    // An idle connection that breaks is replaced at the next statement.
    this.#pool.on("error", () => {});
  }

  /** One statement for all of them. */
  async notify(topics: readonly string[]): Promise<void> {
    const payloads = packTopics(this.#sender, topics);
    if (payloads.length === 0) return;
    await this.#pool.query(
      `select pg_notify($1, payload), set_config('synchronous_commit', 'off', true) from unnest($2::text[]) payload`,
      [CHANNEL, payloads],
    );
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
