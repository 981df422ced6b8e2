// The floor of the machine, measured in the same run: what Postgres and this Node can do at the very least effort. Every
// figure of an engine is read beside it.

import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { gapOf, round, spreadOf, timed, wait } from "./measure.ts";
import type { Figure } from "./scenario.ts";

const run = promisify(execFile);

export async function measureFloor(databaseUrl: string, pgbenchSeconds = 5): Promise<readonly Figure[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      "drop table if exists floor_event; create table floor_event (run_id uuid, seq int, payload text, primary key (run_id, seq))",
    );
    const figures = [...(await singleCommits(client)), await batchedInserts(client)];
    const pgbench = await pgbenchInserts(databaseUrl, pgbenchSeconds);
    return pgbench === undefined ? figures : [...figures, pgbench];
  } finally {
    await client.query("drop table if exists floor_event").catch(() => {});
    await client.end();
  }
}

const PAYLOAD = JSON.stringify({ text: "x".repeat(90) });

async function singleCommits(client: pg.Client): Promise<Figure[]> {
  let seq = 0;
  const commit = () =>
    client.query({
      name: "floor",
      text: "insert into floor_event values ('00000000-0000-0000-0000-000000000001', $1, $2)",
      values: [seq++, PAYLOAD],
    });
  const samples: number[] = [];
  for (let index = 0; index < 3_200; index++) {
    const { ms } = await timed(commit);
    if (index >= 200) samples.push(ms);
  }
  const { p50, p99 } = spreadOf(samples);
  return [
    { name: "single commit p50", value: round(p50, 3), unit: "ms" },
    { name: "single commit p99", value: round(p99, 3), unit: "ms" },
    // As rates of others are counted, pauses of the machine included.
    { name: "single commits", value: Math.round(samples.length / (sumOf(samples) / 1000)), unit: "/s" },
    ...(await afterPauses(commit)),
  ];
}

const sumOf = (samples: readonly number[]) => samples.reduce((sum, ms) => sum + ms, 0);

/** A machine that was idle for some milliseconds is slower to commit: the pauses are those of the latency scenario. */
async function afterPauses(commit: () => Promise<unknown>): Promise<Figure[]> {
  const samples: number[] = [];
  for (let index = 0; index < 500; index++) {
    await wait(gapOf(index));
    samples.push((await timed(commit)).ms);
  }
  const { p50, p99 } = spreadOf(samples);
  return [
    { name: "single commit after a pause p50", value: round(p50, 3), unit: "ms" },
    { name: "single commit after a pause p99", value: round(p99, 3), unit: "ms" },
  ];
}

async function batchedInserts(client: pg.Client): Promise<Figure> {
  const payloads = Array.from({ length: 500 }, () => PAYLOAD);
  const batch = (index: number) =>
    client.query({
      name: "floor-batch",
      text: "insert into floor_event select gen_random_uuid(), $1::int, p from unnest($2::text[]) p",
      values: [index, payloads],
    });
  for (let index = 0; index < 10; index++) await batch(index);
  const { ms } = await timed(async () => {
    for (let index = 0; index < 60; index++) await batch(index);
  });
  return { name: "batched insert of 500 rows", value: Math.round((60 * 500) / (ms / 1000)), unit: "rows/s" };
}

/** The well-known reference: 16 clients inserting one row per transaction. Undefined where pgbench is not installed. */
async function pgbenchInserts(databaseUrl: string, seconds: number): Promise<Figure | undefined> {
  const pgbench = findPgbench();
  if (pgbench === undefined) return undefined;
  const dir = mkdtempSync(join(tmpdir(), "everstep-floor-"));
  try {
    const script = join(dir, "insert.sql");
    writeFileSync(script, `insert into floor_event values (gen_random_uuid(), 1, '${PAYLOAD}');\n`);
    const { stdout } = await run(pgbench, [
      "-n",
      "-f",
      script,
      "-c",
      "16",
      "-j",
      "1",
      "-T",
      String(seconds),
      "-M",
      "prepared",
      databaseUrl,
    ]);
    const tps = /tps = ([\d.]+)/.exec(stdout)?.[1];
    return tps === undefined
      ? undefined
      : { name: "pgbench insert, 16 clients", value: Math.round(Number(tps)), unit: "tx/s" };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function findPgbench(): string | undefined {
  try {
    return (
      execFileSync("sh", ["-c", "command -v pgbench || ls -d /usr/lib/postgresql/*/bin/pgbench | sort -V | tail -1"], {
        encoding: "utf8",
      }).trim() || undefined
    );
  } catch {
    return undefined;
  }
}
