-- Up Migration
-- No index serves to find rows by another column than its first. Where Postgres takes a table for empty, as it does after an
-- analyze in a moment without rows, it would read the whole of such an index rather than look into the one that is meant.
--   * `run_by_workflow_id` is of no use to whoever does not say a workflow id, and leaves run ids to the primary key.
--   * Parents are looked for as text, since `child`'s key has them in the second place.
-- Built before the old ones go, whose lock keeps readers out too.
create index run_of_workflow_id on everstep.run (workflow_id, run_id) where workflow_id is not null;
create index child_of_parent on everstep.child ((parent_run_id::text));
drop index everstep.run_by_workflow_id, everstep.child_by_parent;
alter index everstep.run_of_workflow_id rename to run_by_workflow_id;
alter index everstep.child_of_parent rename to child_by_parent;

-- The same as ever, by lookups.
create or replace function everstep.latest_of_line(in_run uuid) returns uuid
  language sql stable strict
  as $$
    with recursive line (run_id, place) as (
      select in_run, 0
      union all
      select coalesce(heir.run_id, next.run_id), l.place + 1
      from line l
      cross join lateral (
        select coalesce((
          select (
            select n.run_id from everstep.run n
            where n.first_run_id = any(array[coalesce(m.first_run_id, m.run_id)])
            order by n.first_run_id desc, n.run_id desc limit 1)
          from everstep.run m where m.run_id = l.run_id), l.run_id) as run_id) next
      left join lateral (
        select h.run_id from everstep.run h
        where h.forked_from = any(array[next.run_id]) and h.replaces
        order by h.forked_from desc, h.run_id desc limit 1) heir on true
      where coalesce(heir.run_id, next.run_id) <> l.run_id)
    select run_id from line order by place desc limit 1 $$;
