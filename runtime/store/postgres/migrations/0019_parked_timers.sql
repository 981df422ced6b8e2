-- Up Migration
-- The timer that a parked run waits for, where a timer is what it waits for first: the claim that finds it due appends that it
-- has fired. What must stay true:
--   * They are set by parking alone. The timer fires at place `timer_seq` of the history or not at all: an owner that has gone on
--     since, of whatever release, has taken that place.
--   * After a claim, `timer_command` is there if that very claim has fired it.
alter table everstep.open_run
  add column timer_at timestamptz, add column timer_seq integer, add column timer_command integer, add column timer_name text;
