// CPU time of a Postgres server, from /proc: of the backends, and of what runs beside them (WAL writer, checkpointer,
// autovacuum). Undefined where the server's processes are not of this machine.

import { readdirSync, readFileSync } from "node:fs";
import pg from "pg";

export interface ServerCpu {
  /** Since `watchServerCpu`, in ms. */
  since(): Promise<{ readonly backendsMs: number; readonly othersMs: number }>;
}

/** Of a clock tick, in ms: 100 a second on every Linux there is. */
const TICK_MS = 10;

export async function watchServerCpu(databaseUrl: string): Promise<ServerCpu | undefined> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const own = processOf(rows[0]?.pid ?? 0);
  await client.end();
  if (own === undefined || !own.title.startsWith("postgres")) return undefined;
  const postmaster = own.parent;
  const before = await cpuOf(postmaster, databaseUrl);
  return {
    async since() {
      const after = await cpuOf(postmaster, databaseUrl);
      return { backendsMs: after.backendsMs - before.backendsMs, othersMs: after.othersMs - before.othersMs };
    },
  };
}

async function cpuOf(postmaster: number, databaseUrl: string): Promise<{ backendsMs: number; othersMs: number }> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ pid: number }>(
    "select pid from pg_stat_activity where backend_type = 'client backend'",
  );
  await client.end();
  const backends = new Set(rows.map(({ pid }) => pid));
  let backendsMs = 0;
  let othersMs = 0;
  for (const entry of readdirSync("/proc")) {
    const found = /^\d+$/.test(entry) ? processOf(Number(entry)) : undefined;
    if (found === undefined) continue;
    // Of the postmaster's children that have ended, only their sum is known: sessions, above all.
    if (found.pid === postmaster) backendsMs += found.endedChildrenMs;
    if (found.parent !== postmaster) continue;
    if (backends.has(found.pid)) backendsMs += found.cpuMs;
    else othersMs += found.cpuMs;
  }
  return { backendsMs, othersMs };
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly title: string;
  readonly cpuMs: number;
  readonly endedChildrenMs: number;
}

/** Undefined for what is gone, or was never here. */
function processOf(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold anything; the numbers after it are fields 3 and on.
    const title = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const field = (number: number) => Number(fields[number - 3]);
    return {
      pid,
      parent: field(4),
      title,
      cpuMs: (field(14) + field(15)) * TICK_MS,
      endedChildrenMs: (field(16) + field(17)) * TICK_MS,
    };
  } catch {
    return undefined;
  }
}
