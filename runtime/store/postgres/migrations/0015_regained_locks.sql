-- Up Migration
-- Forks that begin where their source had a lock. What must stay true:
--   * `awaited_locks` is the number of the run's rows in `lock_request` that are to be regained and have no token.
--   * While it is above 0, `wake_at` is infinity: nobody claims the run, whatever comes into its mailbox. So nobody owns it, and
--     the event that tells of a grant is appended by the transaction that grants, under the lock of the head.
alter table everstep.open_run add column awaited_locks integer not null default 0;

-- The run had it before, and stands still until it has it again.
alter table everstep.lock_request add column is_regained boolean not null default false;
