-- Up Migration
-- The timer that a parked run waits for, where a timer is what it waits for first: the claim that finds it due appends that it
-- has fired. What must stay true:
--   * They are set by parking alone. The timer fires at place `timer_seq` of the history or not at all: an owner that has gone on
--     since, of whatever release, has taken that place.
--   * While `timer_seq` is the last event, a claim has fired the timer and nothing has come of it. Claims forget `timer_command`
--     when neither is so.
alter table everstep.open_run
  add column timer_at timestamptz, add column timer_seq integer, add column timer_command integer, add column timer_name text;
