-- Up Migration
-- Which attempt a run is, where a run that failed was tried again as a new run of its chain; null for the first.
alter table everstep.run add column if not exists attempt integer;

-- A run that was there before may stand for the children of several, so it is waited for by more than one.
alter table everstep.child drop constraint child_pkey, add primary key (child_run_id, parent_run_id, command);
