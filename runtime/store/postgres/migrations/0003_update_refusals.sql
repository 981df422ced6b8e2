-- Up Migration
-- Why a run did not take an update, as JSON: no event tells it, and whoever sent the update must still learn of it.
alter table everstep.mail add column if not exists refusal text;
