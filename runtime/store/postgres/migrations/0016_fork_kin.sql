-- Up Migration
-- Forks that were put in the place of the run that they were forked from: the line of that run goes on with them.
alter table everstep.run add column replaces boolean;
create index run_heir on everstep.run (forked_from, run_id) where replaces;

-- The latest run of the chain that a run belongs to; where a fork was put in its place, of the chain of that fork, and so on.
create function everstep.latest_of_line(in_run uuid) returns uuid
  language sql stable strict
  as $$
    with recursive line (run_id, place) as (
      select in_run, 0
      union all
      select coalesce(heir.run_id, next.run_id), l.place + 1
      from line l
      cross join lateral (
        select coalesce((
          select n.run_id from everstep.run m join everstep.run n on n.first_run_id = coalesce(m.first_run_id, m.run_id)
          where m.run_id = l.run_id order by n.run_id desc limit 1), l.run_id) as run_id) next
      left join lateral (
        select h.run_id from everstep.run h
        where h.forked_from = next.run_id and h.replaces order by h.run_id desc limit 1) heir on true
      where coalesce(heir.run_id, next.run_id) <> l.run_id)
    select run_id from line order by place desc limit 1 $$;
