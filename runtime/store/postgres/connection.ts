// Connections, in four pools so that no kind of work waits behind another: `hot` writes histories, `control` claims,
// loads and sweeps, `client` serves the front door, `transactions` has those that authors' code keeps open. A transaction
// waits for appends of its own run before it commits, so no append may wait for a connection that a transaction has. Nothing
// here or above relies on session state, so a pooler in transaction mode may stand in between.

import pg from "pg";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import type { Log } from "../../world/world.ts";
import { isSerializationLoss, spoilsConnection, type Target, toStoreError } from "./errors.ts";
import type { Statement } from "./statements.ts";

export interface PostgresOptions {
  /** A postgres:// URL; what it leaves out comes from the PG* variables. */
  readonly url: string;
  /** Most connections per pool, opened as needed. Default hot 4, control 2, client 4, transactions 4: at most 14 in all. */
  readonly pools?: PoolSizes;
  /** Named statements, planned once per connection. Switch off behind a pooler that does not know them. Default true. */
  readonly preparedStatements?: boolean;
  /**
   * Sets time limits and plan settings on the server at connect. Switch off behind a pooler that refuses start-up
   * parameters; the limits on this side stay. Default true.
   */
  readonly serverSettings?: boolean;
  /** Default 15,000. */
  readonly statementTimeoutMs?: number;
  /** For getting a connection, free or new. Default 5,000. */
  readonly connectTimeoutMs?: number;
}

export interface PoolSizes {
  readonly hot?: number;
  readonly control?: number;
  readonly client?: number;
  readonly transactions?: number;
}

export type Row = pg.QueryResultRow;

const SERIALIZATION_TRIES = 4;

export class Connections {
  readonly hot: Pool;
  readonly control: Pool;
  readonly client: Pool;
  readonly transactions: Pool;

  constructor(options: PostgresOptions, log: Log) {
    const { hot = 4, control = 2, client = 4, transactions = 4 } = options.pools ?? {};
    const target = targetOf(options.url);
    this.hot = new Pool("hot", hot, options, target, log);
    this.control = new Pool("control", control, options, target, log);
    this.client = new Pool("client", client, options, target, log);
    this.transactions = new Pool("transactions", transactions, options, target, log);
  }

  async close(): Promise<void> {
    await Promise.all([this.hot.close(), this.control.close(), this.client.close(), this.transactions.close()]);
  }
}

// Every statement has one good plan, whatever its parameters and whatever is known of the tables: by the primary keys and the few
// indexes. Left to itself, Postgres plans the long ones anew at each call, which costs about a quarter of the time of a short run;
// and a plan that it keeps from a moment in which a table is nearly empty would read it whole when it is large. Nor is an index
// to be read as a bitmap, which loses its order: a claim would read and sort all runs that are due, for the few that it takes.
export const PLANS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_bitmapscan=off -c jit=off";
/** For what authors ask inside a transaction of ours: as Postgres would plan it anywhere. */
const AUTHORS_PLANS =
  "set local plan_cache_mode = auto; set local enable_seqscan = on; set local enable_bitmapscan = on";

export class Pool {
  readonly target: Target;
  readonly #pool: pg.Pool;
  readonly #isNamed: boolean;
  readonly #hasPlans: boolean;

  constructor(role: string, max: number, options: PostgresOptions, target: Target, log: Log) {
    const timeoutMs = options.statementTimeoutMs ?? 15_000;
    this.target = target;
    this.#isNamed = options.preparedStatements ?? true;
    this.#hasPlans = options.serverSettings ?? true;
    this.#pool = new pg.Pool({
      connectionString: options.url,
      application_name: `everstep-${role}`,
      max,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      // The server gives up first, so that what it answers is heard; ours is for a server that says nothing at all.
      query_timeout: timeoutMs + 2_000,
      ...(this.#hasPlans
        ? {
            statement_timeout: timeoutMs,
            lock_timeout: Math.ceil(timeoutMs / 2),
            idle_in_transaction_session_timeout: 60_000,
            options: PLANS,
          }
        : {}),
    });
    // Without listeners, a backend that goes away would take the process with it. The next query finds out by itself.
    this.#pool.on("error", (error) => {
      log.debug({ role, host: target.host, error: error.message }, "An idle connection to Postgres was lost.");
    });
    this.#pool.on("connect", (client) => {
      client.on("error", () => {});
    });
  }

  /** One statement, committed when this resolves. */
  async query<R extends Row = Row>(statement: Statement, values: readonly unknown[]): Promise<R[]> {
    return this.#retry(() => this.#single<R>(statement, values));
  }

  /**
   * Commits what `work` did, or rolls it back and rejects; what it throws wrapped in `Abort` comes out as it was. `work` runs
   * again when it lost against another transaction.
   */
  transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#retry(() => this.#inTransaction("begin", work));
  }

  /**
   * Like `transaction`, but `work` runs once. For statements of authors: what suits ours is set back for them.
   */
  async transactionOnce<T>(work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#inTransaction(this.#hasPlans ? `begin; ${AUTHORS_PLANS}` : "begin", work);
    } catch (error) {
      throw error instanceof Abort ? error.cause : toStoreError(error, this.target);
    }
  }

  close(): Promise<void> {
    return this.#pool.ending ? Promise.resolve() : this.#pool.end();
  }

  async #retry<T>(attempt: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (tries < SERIALIZATION_TRIES && isSerializationLoss(error)) continue;
        throw error instanceof Abort ? error.cause : toStoreError(error, this.target);
      }
    }
  }

  async #inTransaction<T>(begin: string, work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let isSpoilt = false;
    try {
      await client.query(begin);
      const result = await work({
        query: (statement, values) => this.#send(client, statement, values),
        raw: (text, values) => client.query(oneStatement(text, values)),
      });
      await client.query("commit");
      return result;
    } catch (error) {
      // Rolled back before the caller goes on, so that no lock outlasts the call. A connection that cannot do that is
      // closed, which rolls back too, only later.
      isSpoilt = !(error instanceof Abort) && spoilsConnection(error);
      if (!isSpoilt) isSpoilt = !(await succeeds(client.query("rollback")));
      throw error;
    } finally {
      client.release(isSpoilt);
    }
  }

  async #single<R extends Row>(statement: Statement, values: readonly unknown[]): Promise<R[]> {
    const client = await this.#pool.connect();
    let isSpoilt = false;
    try {
      return await this.#send<R>(client, statement, values);
    } catch (error) {
      isSpoilt = spoilsConnection(error);
      throw error;
    } finally {
      client.release(isSpoilt);
    }
  }

  async #send<R extends Row>(
    client: pg.PoolClient,
    { name, text }: Statement,
    values: readonly unknown[],
  ): Promise<R[]> {
    const query = { text, values: [...values], ...(this.#isNamed ? { name } : {}) };
    const { rows } = await client.query<R>(query);
    return rows;
  }
}

/** A connection while a transaction is open on it. */
export interface Session {
  query<R extends Row = Row>(statement: Statement, values: readonly unknown[]): Promise<R[]>;
  raw(text: string, values: readonly unknown[]): Promise<pg.QueryResult<Row>>;
}

/** Ends a transaction with what is no error of the store: its cause comes out of `transactionOnce` as it is. */
export class Abort extends Error {
  override readonly name = "Abort";

  constructor(cause: unknown) {
    super("The work in a transaction ended it.", { cause });
  }
}

/** The extended protocol takes one statement at a time, so that nothing can follow behind a semicolon. */
function oneStatement(text: string, values: readonly unknown[]): pg.QueryConfig & { readonly queryMode: "extended" } {
  return { text, values: [...values], queryMode: "extended" };
}

async function succeeds(attempt: Promise<unknown>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

/** Where a URL leads, by node-postgres's own reading of it. */
export function targetOf(url: string): Target {
  let client: pg.Client;
  try {
    client = new pg.Client({ connectionString: url });
  } catch (error) {
    // The URL itself stays out of the message: it may hold a password.
    throw new EverstepError(
      "CONFIGURATION_INVALID",
      "The database URL cannot be read. It looks like postgres://user:password@host:5432/name.",
      {
        details: { reason: error instanceof Error ? error.name : typeof error },
      },
    );
  }
  return { host: `${client.host}:${client.port}`, database: client.database ?? "", user: client.user ?? "" };
}
