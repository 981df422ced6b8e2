// A trace of every execution of a batch, also of those whose result was never recorded: written by the step itself, on a
// connection of its own, so that the check at the end has a witness beside the history.

import pg from "pg";

let pool: pg.Pool | undefined;

export async function noteExecution(batch: number): Promise<void> {
  pool ??= new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4, allowExitOnIdle: true });
  await pool.query("insert into executions (batch, pid) values ($1, $2)", [batch, process.pid]);
}

export async function createTables(database: pg.Client): Promise<void> {
  // No keys and no uniqueness: if something were done twice, it would be there twice.
  await database.query(`
    create table executions (batch int, pid int, started_at timestamptz default clock_timestamp());
    create table airport_delays (airport text, flights int, minutes int, late int, worst int)`);
}
