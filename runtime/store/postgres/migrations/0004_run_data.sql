-- Up Migration
-- Attributes and memos beside the histories they come from: written by the statement that appends the event, so a list is
-- never behind. Only runs that have any have rows here. `number` and `text` sort together: numbers, bools (0, 1) and times
-- (ms) first, with an empty text; then texts, whose number is infinity.
create table everstep.run_data (
  run_id uuid not null,
  kind   smallint not null,                   -- 1 attribute, 2 memo
  name   text not null,
  place  smallint not null,                   -- of a keyword in its list, else 0
  type   smallint not null,                   -- of an attribute; 0 for a memo, whose value is JSON in `text`
  number float8 not null,
  text   text collate "C" not null,
  primary key (run_id, kind, name, place)
) with (fillfactor = 85);

-- What is asked by attributes begins here: an entry is at most 64 bytes of name and 2,048 of text, which a page holds.
create index run_data_attribute on everstep.run_data (name, number, text, run_id) where kind = 1;
