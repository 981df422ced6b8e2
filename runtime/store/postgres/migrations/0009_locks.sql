-- Up Migration
-- Locks and semaphores: the queue of each key. What must stay true:
--   * The queue of a key is changed by whoever has the advisory lock of the key, taken after all heads of a transaction. So
--     ids are in the order in which requests were taken, and every holder's is smaller than that of any who waits.
--   * A row is there from the commit of the event that asks until that of the event that lets go, or ends the run.
create table everstep.lock_request (
  id           bigint generated always as identity primary key,
  key          text not null,
  run_id       uuid not null,
  command      integer not null,              -- by which the run asked
  permits      integer not null,
  capacity     integer not null,              -- how many permits there are, as this request has it
  requested_at timestamptz not null,
  token        bigint,                        -- of its grant; null while it waits
  granted_at   timestamptz,
  constraint lock_request_once unique (run_id, command)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index lock_request_queue on everstep.lock_request (key, id);
create index lock_request_held on everstep.lock_request (key) where token is not null;

-- Of all keys, so that nothing has to be kept for a key that nobody asks for.
create sequence everstep.fencing_token;
