-- Up Migration
-- Who changed which versions new runs get, when, from what and to what. Rows are only ever added, in the order in which the
-- changes took effect: whoever changes a policy has the lock on `version_policy`. No policy is null throughout.
create table everstep.version_policy_change (
  id               bigint generated always as identity primary key,
  workflow         text not null,
  at               timestamptz not null,
  actor            text,                      -- as they call themselves; null where they did not say
  was_current      text,
  was_ramp_version text,
  was_ramp_percent float8,
  current          text,
  ramp_version     text,
  ramp_percent     float8
);
create index version_policy_change_of on everstep.version_policy_change (workflow, id);
