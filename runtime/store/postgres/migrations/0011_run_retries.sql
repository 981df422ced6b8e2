-- Up Migration
-- Which attempt a run is, where a run that failed was tried again as a new run of its chain; null for the first.
alter table everstep.run add column if not exists attempt integer;
