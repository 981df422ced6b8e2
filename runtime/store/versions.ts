// Versions of workflows, as stores keep them: which ones workers have had, which of them new runs get, and where a run's
// history tells of its own. The same words for every store.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { EventRecord } from "../../sdk/protocol/event-record.ts";
import type { VersionAsk, VersionFacts, VersionPolicy } from "../../sdk/protocol/version-policy.ts";
import { chooseVersion } from "../../sdk/protocol/version-policy.ts";
import { isVersion } from "../../sdk/protocol/versions.ts";

/** A version that a worker has had. Times are ms by the store's clock. */
export interface KnownVersion {
  readonly version: string;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  /** Seen within the last `SERVED_WITHIN_MS`. */
  readonly isServed: boolean;
}

export interface StoredVersions extends VersionFacts {
  readonly policy: VersionPolicy | null;
  readonly known: readonly KnownVersion[];
}

export const NO_VERSIONS: StoredVersions = { policy: null, known: [] };

/** Some times as long as workers take to say again which versions they have. */
export const SERVED_WITHIN_MS = 120_000;

/** A RunStarted record, of a run that is of this version. */
export function startedAs(started: EventRecord, version: string | null): EventRecord {
  if (version === null) return started;
  return { ...started, data: JSON.stringify({ ...(JSON.parse(started.data ?? "{}") as object), version }) };
}

/** What the run that goes on after another is to be of. */
export type NextVersion =
  | { readonly exactly: string | null }
  | { readonly ask: VersionAsk; readonly workflowId: string };

/**
 * A run that goes on must not be held up: where nothing is known that fits, it is of the very version that was asked for, and
 * waits for a worker that has it; or of its own, where that was a range.
 */
export function nextVersion(next: NextVersion, facts: VersionFacts = NO_VERSIONS): string | null {
  if ("exactly" in next) return next.exactly;
  const { own, asked } = next.ask;
  const chosen = chooseVersion(next.ask, facts, next.workflowId);
  return chosen === undefined ? (isVersion(asked) ? asked : own) : chosen;
}

/** The version that a history tells of; null for none. */
export function versionIn(events: readonly HistoryEvent[]): string | null {
  let version: string | null = null;
  for (const event of events) {
    if (event.type === "RunStarted" || event.type === "RunForked") version = event.version ?? null;
    else if (event.type === "RunMoved") version = event.version;
  }
  return version;
}

/** Why a start with it is refused, for whoever asked. */
export function unknownVersion(workflow: string, { own, asked }: VersionAsk, { known }: VersionFacts): string {
  const all = [...new Set([...known.map(({ version }) => version), ...(own === null ? [] : [own])])];
  const what = isVersion(asked) ? `There is no version ${asked}` : `No version fits ${JSON.stringify(asked)}`;
  const there = all.length === 0 ? "no worker ever had a version of it" : `known are ${all.join(", ")}`;
  return `${what} of workflow "${workflow}": ${there}. Start a worker that has it, or correct the version.`;
}
