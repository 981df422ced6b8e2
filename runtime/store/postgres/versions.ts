// Which versions of workflows there are, and which of them new runs get. Read where a run with a version is started, never
// for others.

import type { VersionKey } from "../lanes.ts";
import { NO_VERSIONS, SERVED_WITHIN_MS, type StoredVersions } from "../versions.ts";
import { ms, names, textColumn } from "./columns.ts";
import type { Pool, Row, Session } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { prepared } from "./statements.ts";
import { type PolicyColumns, policyOf } from "./version-policies.ts";

// In one order, so that workers that start together do not wait for each other in circles.
const REGISTER = prepared({
  name: "everstep_register_versions",
  text: `
    insert into everstep.workflow_version (workflow, version)
    select workflow, version from unnest(${textColumn(1)}, ${textColumn(2)}) v(workflow, version)
    where version is not null and version <> '' order by workflow collate "C", version collate "C"
    on conflict (workflow, version) do update set last_seen_at = now()`,
});

export async function registerVersions(on: Pool | Session, versions: readonly VersionKey[]): Promise<void> {
  if (versions.length === 0) return;
  const [workflows, numbers] = [versions.map(({ workflow }) => workflow), versions.map(({ version }) => version)];
  await on.query(REGISTER, [names(workflows), names(numbers)]);
}

const READ = prepared({
  name: "everstep_read_versions",
  text: `
    select w.workflow, v.version, ${ms("v.first_seen_at")} as first_seen_at, ${ms("v.last_seen_at")} as last_seen_at,
      v.last_seen_at > now() - ${SERVED_WITHIN_MS} * interval '1 ms' as is_served,
      p.current, p.ramp_version, p.ramp_percent
    from unnest($1::text[]) w(workflow)
    left join everstep.version_policy p on ${lookup("p.workflow", "w.workflow")}
    left join everstep.workflow_version v on ${lookup("v.workflow", "w.workflow")}
    order by w.workflow, v.version`,
});

interface VersionRow extends Row, PolicyColumns {
  workflow: string;
  version: string | null;
  first_seen_at: number;
  last_seen_at: number;
  is_served: boolean;
}

export async function readVersions(
  on: Pool | Session,
  workflows: readonly string[],
): Promise<Map<string, StoredVersions>> {
  const rows = workflows.length === 0 ? [] : await on.query<VersionRow>(READ, [[...new Set(workflows)]]);
  const found = new Map<string, StoredVersions>();
  for (const row of rows) {
    const { known } = found.get(row.workflow) ?? NO_VERSIONS;
    const { version, first_seen_at: firstSeenAt, last_seen_at: lastSeenAt, is_served: isServed } = row;
    const more = version === null ? [] : [{ version, firstSeenAt, lastSeenAt, isServed }];
    found.set(row.workflow, { policy: policyOf(row), known: [...known, ...more] });
  }
  return found;
}
