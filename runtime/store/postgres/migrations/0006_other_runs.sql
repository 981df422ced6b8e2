-- Up Migration
-- Runs that deal with other runs. What must stay true:
--   * Runs that continue as new form a chain: same workflow id, run ids that only grow, `first_run_id` naming the first;
--     null in the first itself, and so in every run that never continues.
--   * A mail id is accepted once per chain: mail that moves on to the next run keeps its id, and `chain_id`.

alter table everstep.run add column first_run_id uuid;
alter table everstep.open_run add column first_run_id uuid;
alter table everstep.mail add column chain_id uuid;

create index run_chain on everstep.run (first_run_id, run_id) where first_run_id is not null;

create unique index mail_once_per_chain on everstep.mail (coalesce(chain_id, run_id), mail_id);
alter table everstep.mail drop constraint mail_once;

create or replace function everstep.has_mail(in_run uuid, in_mail_id text) returns boolean
  language sql volatile
  as $$ select exists (
    select 1 from everstep.mail m where coalesce(m.chain_id, m.run_id) = in_run and m.mail_id = in_mail_id) $$;

-- Children that are open, with a parent that is: gone as soon as either of them has ended.
create table everstep.child (
  child_run_id  uuid primary key,             -- the first run of the child's chain
  parent_run_id uuid not null,
  command       integer not null,             -- by which the parent asked for it
  name          text not null,
  policy        text not null                 -- what becomes of it when the parent closes
) with (fillfactor = 85);
create index child_by_parent on everstep.child (parent_run_id);

-- What committed turns and ended runs have made due for other runs. A row goes in with what makes it due, and goes away
-- with what it asks for, each in one transaction.
create table everstep.errand (
  id       bigint generated always as identity primary key,
  what     text not null,                     -- start, mail or terminate
  body     text not null,                     -- as JSON
  rejected text                               -- why it can never be done; null as long as it can
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index errand_due on everstep.errand (what, id) where rejected is null;
