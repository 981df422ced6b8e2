-- Up Migration
-- Who has paused a run and when, as JSON; null while it may be claimed. A paused run is in no claim's way: it is out of the
-- index that claims read, and keeps the time at which it would be due.
alter table everstep.open_run add column if not exists paused text;
drop index if exists everstep.open_run_due;
create index open_run_due on everstep.open_run (queue, is_suspect, wake_at) where worker_id is null and paused is null;
create index if not exists open_run_paused on everstep.open_run (run_id) where paused is not null;

-- Which run a fork shares its first events with, and up to which.
alter table everstep.run add column if not exists forked_from uuid, add column if not exists forked_event integer;
