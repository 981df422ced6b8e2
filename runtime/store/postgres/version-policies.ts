// Which versions new runs get, as somebody said, and what was said before: each change is recorded in the transaction that
// makes it.

import type { VersionPolicy, VersionPolicyChange } from "../../../sdk/protocol/version-policy.ts";
import { ms, storableName } from "./columns.ts";
import type { Pool, Row } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { prepared } from "./statements.ts";

export interface PolicyColumns {
  current: string | null;
  ramp_version: string | null;
  ramp_percent: number | null;
}

export function policyOf({
  current,
  ramp_version: version,
  ramp_percent: percent,
}: PolicyColumns): VersionPolicy | null {
  if (current === null) return null;
  return { current, ramp: version === null || percent === null ? null : { version, percent } };
}

// There is no row to lock where there is no policy. Readers are not kept waiting; changes are rare.
const ALONE = prepared({
  name: "everstep_version_policy_alone",
  text: "lock table everstep.version_policy in share row exclusive mode",
});

// What is said again changes nothing, and so is no change: a call that is repeated because its answer was lost is told once.
const CHANGE = prepared({
  name: "everstep_change_version_policy",
  text: `
    with said as (
      select $1::text as workflow, $2::text as current, $3::text as ramp_version, $4::float8 as ramp_percent),
    changing as materialized (
      select s.*, p.current as was_current, p.ramp_version as was_ramp_version, p.ramp_percent as was_ramp_percent
      from said s left join everstep.version_policy p on ${lookup("p.workflow", "s.workflow")}
      where (s.current, s.ramp_version, s.ramp_percent) is distinct from (p.current, p.ramp_version, p.ramp_percent)),
    told as (
      insert into everstep.version_policy_change (workflow, at, actor, was_current, was_ramp_version, was_ramp_percent,
        current, ramp_version, ramp_percent)
      select workflow, clock_timestamp(), $5::text, was_current, was_ramp_version, was_ramp_percent,
        current, ramp_version, ramp_percent from changing),
    cleared as (
      delete from everstep.version_policy p using changing c where ${lookup("p.workflow", "c.workflow")} and c.current is null)
    insert into everstep.version_policy (workflow, current, ramp_version, ramp_percent)
    select workflow, current, ramp_version, ramp_percent from changing where current is not null
    on conflict (workflow) do update
    set current = excluded.current, ramp_version = excluded.ramp_version, ramp_percent = excluded.ramp_percent`,
});

export async function setVersionPolicy(
  pool: Pool,
  workflow: string,
  policy: VersionPolicy | null,
  actor: string | undefined,
): Promise<void> {
  const { current = null, ramp = null } = policy ?? {};
  const values = [storableName(workflow), current, ramp?.version ?? null, ramp?.percent ?? null, actor ?? null];
  await pool.transaction(async (session) => {
    await session.query(ALONE, []);
    await session.query(CHANGE, values);
  });
}

const CHANGES = prepared({
  name: "everstep_version_policy_changes",
  text: `
    select ${ms("at")} as at, actor, was_current, was_ramp_version, was_ramp_percent, current, ramp_version, ramp_percent
    from everstep.version_policy_change where workflow = $1 order by id desc limit $2`,
});

interface ChangeRow extends Row, PolicyColumns {
  at: number;
  actor: string | null;
  was_current: string | null;
  was_ramp_version: string | null;
  was_ramp_percent: number | null;
}

export async function readPolicyChanges(pool: Pool, workflow: string, limit: number): Promise<VersionPolicyChange[]> {
  const rows = await pool.query<ChangeRow>(CHANGES, [storableName(workflow), limit]);
  return rows.map((row) => {
    const { at, actor, was_current: current, was_ramp_version, was_ramp_percent } = row;
    const before = { current, ramp_version: was_ramp_version, ramp_percent: was_ramp_percent };
    return { at, actor, from: policyOf(before), to: policyOf(row) };
  });
}
