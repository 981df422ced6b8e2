// Two connections of the leases' own: signs of life must not queue behind the work they vouch for. Every wait is
// bounded on our side, since a pooler takes no settings at connect; a query that outstays its time takes its
// connection with it.

import pg from "pg";

export interface LeasePoolOptions {
  readonly url: string;
  readonly callBudgetMs: number;
}

export function openPool({ url, callBudgetMs }: LeasePoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: "everstep-lease",
    max: 2,
    connectionTimeoutMillis: callBudgetMs,
    // A little later than the caller gives up, so that it is the caller who says why.
    query_timeout: callBudgetMs + 100,
    keepAlive: true,
  });
  // An idle connection that breaks is replaced at the next call; without a listener it would end the process.
  pool.on("error", () => {});
  return pool;
}
