-- Up Migration
-- With a run go the ids of the requests that started it.
create index start_request_run on everstep.start_request (run_id);
