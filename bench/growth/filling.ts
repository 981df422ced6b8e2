// Rows as runs would have left them, made by SQL in large sets: making them by runs would take an hour.

import pg from "pg";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { STATUS_CODES } from "../../sdk/protocol/run.ts";

export const EVENTS_PER_CLOSED_RUN = 10;

const STARTED = `'{"seed":"00000000-0000-0000-0000-000000000000"}'`;

/** An id as a run that began at `at` has it: its time first, then chance. */
const runIdAt = (at: string, number: string) =>
  `(lpad(to_hex((extract(epoch from ${at}) * 1000)::bigint), 12, '0') || substr(md5(${number}::text), 1, 20))::uuid`;

/** Closed runs of eight steps, the last one closed a day ago. */
export async function fillClosed(databaseUrl: string, count: number): Promise<void> {
  const at = "now() - interval '1 day' - ($1::int - i) * interval '1 s'";
  await fill(databaseUrl, [
    [
      `insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at, closed_at)
       select ${runIdAt(at, "i")}, 'closed-' || i, 'steps', 'default', ${STATUS_CODES.completed}, ${at}, ${at}
       from generate_series(1, $1::int) i`,
      [count],
    ],
    [
      `insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
       select r.run_id, s, r.run_id, r.started_at,
         case s when 1 then ${EVENT_CODES.RunStarted} when $1::int then ${EVENT_CODES.RunCompleted}
           else ${EVENT_CODES.StepCompleted} end,
         case when s not in (1, $1::int) then s - 1 end,
         case s when 1 then 'steps' when $1::int then null else 'step' end,
         case when s in (1, $1::int) then '8' else '{"value":1,"text":"' || repeat('x', 80) || '"}' end,
         case s when 1 then ${STARTED} end
       from everstep.run r cross join generate_series(1, $1::int) s
       where r.workflow_id like 'closed-%' order by r.run_id, s`,
      [EVENTS_PER_CLOSED_RUN],
    ],
  ]);
}

/** Runs that sleep for a year from now, and more. */
export async function fillParked(databaseUrl: string, count: number): Promise<void> {
  await fillOpen(databaseUrl, {
    prefix: "parked",
    workflow: "sleeper",
    queue: "default",
    count,
    events: 2,
    wakeAt: "now() + interval '1 year' + i * interval '1 s'",
  });
}

/** Runs that nobody has claimed yet, all of them due. */
export async function fillClaimable(databaseUrl: string, queue: string, count: number): Promise<void> {
  const wakeAt = "now() - ($1::int - i) * interval '1 ms'";
  await fillOpen(databaseUrl, { prefix: queue, workflow: "steps", queue, count, events: 1, wakeAt });
}

interface OpenRuns {
  readonly prefix: string;
  readonly workflow: string;
  readonly queue: string;
  readonly count: number;
  readonly events: 1 | 2;
  readonly wakeAt: string;
}

async function fillOpen(databaseUrl: string, runs: OpenRuns): Promise<void> {
  const { prefix, workflow, queue, count, events, wakeAt } = runs;
  const at = "now() - interval '1 hour' - ($1::int - i) * interval '1 ms'";
  const id = runIdAt(at, "($2::text || i)");
  await fill(databaseUrl, [
    [
      `insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at)
       select ${id}, $2::text || '-' || i, $3::text, $4::text, ${STATUS_CODES.running}, ${at} from generate_series(1, $1::int) i`,
      [count, prefix, workflow, queue],
    ],
    [
      `insert into everstep.open_run (run_id, workflow_id, queue, epoch, events, wake_at)
       select ${id}, $2::text || '-' || i, $3::text, $4::int - 1, $4::int, ${wakeAt} from generate_series(1, $1::int) i`,
      [count, prefix, queue, events],
    ],
    [
      `insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
       select r.run_id, s, r.run_id, r.started_at,
         case s when 1 then ${EVENT_CODES.RunStarted} else ${EVENT_CODES.TimerStarted} end,
         case s when 2 then 1 end, case s when 1 then r.workflow else 'sleep' end, case s when 1 then '8' end,
         case s when 1 then ${STARTED} else '{"afterMs":31536000000}' end
       from everstep.run r cross join generate_series(1, $2::int) s where r.workflow_id like $1::text || '-%'
       order by r.run_id, s`,
      [prefix, events],
    ],
  ]);
}

/** One transaction for all, then what autovacuum would have done by the time so many runs have come and gone. */
async function fill(
  databaseUrl: string,
  statements: readonly (readonly [string, readonly unknown[]])[],
): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query("begin");
    for (const [text, values] of statements) await client.query(text, [...values]);
    await client.query("commit");
    for (const table of ["run", "open_run", "event"]) await client.query(`vacuum (analyze) everstep.${table}`);
  } finally {
    await client.end();
  }
}
