-- Up Migration
-- Versions of workflows, side by side. What must stay true:
--   * `open_run.queue` names the lane in which a run waits: its queue, or for a run of a version its queue, its workflow and
--     the version, with U+001D between them. Workers read the lanes for the code they have, by the same index as ever.
--   * `run.queue` is the queue and `run.version` the version: they change with the lane, under the lock of the head.
alter table everstep.run add column if not exists version text;  -- null for a workflow without versions

-- Which versions workers have, or have had.
create table everstep.workflow_version (
  workflow      text not null,
  version       text not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at  timestamptz not null default now(),
  primary key (workflow, version)
) with (fillfactor = 70);

-- Which of them new runs are of. Without a row: of the version of the definition that they are started with.
create table everstep.version_policy (
  workflow     text primary key,
  current      text not null,
  ramp_version text,
  ramp_percent float8                         -- above 0, at most 100; null exactly where there is no ramp
);
