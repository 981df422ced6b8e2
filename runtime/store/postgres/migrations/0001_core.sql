-- Up Migration
-- The history and the heads that guard it. What must stay true:
--   * `open_run` is the one row that changes while a run lives, and an append changes none of its indexed columns, so
--     appends are heap-only updates. It is gone once the run has closed: the claim path never sees finished work.
--   * `event` has its primary key and nothing else. Rows are only ever added, at seq = the head's `events` + 1.
--   * All rights to write hang on the lock of a run's `open_run` row, taken in run_id order.

create schema if not exists everstep;

-- What a run is and how it ended: written at the start, changed once.
create table everstep.run (
  run_id      uuid primary key,               -- the ULID's 128 bits, so ordered by time
  workflow_id text not null,
  workflow    text not null,
  queue       text not null,
  status      smallint not null,              -- 1 while open (running or blocked: see open_run), else how it ended
  started_at  timestamptz not null,
  closed_at   timestamptz,
  deadline_at timestamptz
) with (fillfactor = 85);

create index run_by_workflow_id on everstep.run (workflow_id, run_id);

-- The head of an open run.
create table everstep.open_run (
  run_id      uuid primary key,
  workflow_id text not null,
  queue       text not null,
  epoch       bigint not null default 0,      -- only ever raised, by claiming
  claim_id    uuid,
  worker_id   uuid,
  events      integer not null,
  newest_mail integer not null default 0,
  taken_mail  integer not null default 0,
  wake_at     timestamptz not null,           -- claimable from then on; infinity: only mail (or a person) wakes it
  crash_count smallint not null default 0,    -- claims without progress since
  is_suspect  boolean not null generated always as (crash_count >= 2) stored,
  deadline_at timestamptz,
  blocked     text                            -- why it cannot go on, as JSON; null while it can
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 1000);

-- At most one open run per workflow id.
create unique index open_run_workflow_id on everstep.open_run (workflow_id);
-- Claims read it in its own order. Suspects stand apart, so that taking one does not mean looking through all others.
create index open_run_due on everstep.open_run (queue, is_suspect, wake_at) where worker_id is null;
create index open_run_owned on everstep.open_run (worker_id) where worker_id is not null;
create index open_run_deadline on everstep.open_run (deadline_at) where deadline_at is not null;
create index open_run_blocked on everstep.open_run (run_id) where blocked is not null;

create table everstep.event (
  run_id  uuid not null,
  seq     integer not null,
  tag     uuid not null,                      -- random per turn: tells a lost reply from a lost request
  at      timestamptz not null,
  type    smallint not null,
  command integer,
  name    text,
  payload text,
  data    text,
  primary key (run_id, seq)
) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Signals and cancel requests in the order they were accepted, numbered from 1 without gaps.
create table everstep.mail (
  run_id  uuid not null,
  mail    integer not null,
  mail_id text not null,
  kind    text not null check (kind in ('signal', 'cancel')),
  name    text not null,
  payload text,
  at      timestamptz not null,
  primary key (run_id, mail),
  constraint mail_once unique (run_id, mail_id)
);

-- Reads with a snapshot of its own because it is volatile: called after the run's lock is held, it also sees the mail
-- of a sender who committed while this statement waited for that lock.
create function everstep.has_mail(in_run uuid, in_mail_id text) returns boolean
  language sql volatile
  as $$ select exists (select 1 from everstep.mail m where m.run_id = in_run and m.mail_id = in_mail_id) $$;

create table everstep.step_heartbeat (
  run_id  uuid not null,
  command integer not null,
  attempt integer not null,
  details text,
  primary key (run_id, command)
) with (fillfactor = 70);

-- The run each start request got, started by it or taken as it was.
create table everstep.start_request (
  request_id text primary key,
  run_id     uuid not null
);

-- Questions and their answers live for seconds; a crash of the database may forget them.
create unlogged table everstep.query (
  query_id text primary key,
  run_id   uuid not null,
  queue    text not null,
  name     text not null,
  input    text,
  asked_at timestamptz not null default now(),
  taken_at timestamptz,
  answer   text
);

create index query_open on everstep.query (queue, asked_at) where taken_at is null;

-- Who is alive, where no Redis says it.
create table everstep.worker (
  worker_id    uuid primary key,
  heartbeat_at timestamptz,                   -- null once it has given its lease up
  started_at   timestamptz not null default now(),
  host         text,
  pid          integer,
  info         jsonb
) with (fillfactor = 70);
