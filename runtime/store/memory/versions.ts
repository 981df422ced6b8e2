// Which versions of workflows there are, and which of them new runs get.

import type { VersionPolicy } from "../../../sdk/protocol/version-policy.ts";
import type { VersionKey } from "../lanes.ts";
import { SERVED_WITHIN_MS, type StoredVersions } from "../versions.ts";

interface Seen {
  readonly firstAt: number;
  readonly lastAt: number;
}

export class Versions {
  readonly #seen = new Map<string, Map<string, Seen>>();
  readonly #policies = new Map<string, VersionPolicy>();

  register(versions: readonly VersionKey[], now: number): void {
    for (const { workflow, version } of versions) {
      if (version === null) continue;
      const seen = this.#seen.get(workflow) ?? new Map<string, Seen>();
      this.#seen.set(workflow, seen);
      seen.set(version, { firstAt: seen.get(version)?.firstAt ?? now, lastAt: now });
    }
  }

  setPolicy(workflow: string, policy: VersionPolicy | null): void {
    if (policy === null) this.#policies.delete(workflow);
    else this.#policies.set(workflow, Object.freeze({ ...policy }));
  }

  of(workflow: string, now: number): StoredVersions {
    const known = [...(this.#seen.get(workflow) ?? [])].map(([version, { firstAt, lastAt }]) => {
      return { version, firstSeenAt: firstAt, lastSeenAt: lastAt, isServed: lastAt > now - SERVED_WITHIN_MS };
    });
    known.sort((a, b) => (a.version < b.version ? -1 : 1));
    return { policy: this.#policies.get(workflow) ?? null, known };
  }
}
