// Which versions of workflows there are, and which of them new runs get.

import { isDeepStrictEqual } from "node:util";
import type { VersionPolicy, VersionPolicyChange } from "../../../sdk/protocol/version-policy.ts";
import type { VersionKey } from "../lanes.ts";
import { SERVED_WITHIN_MS, type StoredVersions } from "../versions.ts";

interface Seen {
  readonly firstAt: number;
  readonly lastAt: number;
}

export class Versions {
  readonly #seen = new Map<string, Map<string, Seen>>();
  readonly #policies = new Map<string, VersionPolicy>();
  readonly #changes = new Map<string, readonly VersionPolicyChange[]>();

  register(versions: readonly VersionKey[], now: number): void {
    for (const { workflow, version } of versions) {
      if (version === null) continue;
      const seen = this.#seen.get(workflow) ?? new Map<string, Seen>();
      this.#seen.set(workflow, seen);
      seen.set(version, { firstAt: seen.get(version)?.firstAt ?? now, lastAt: now });
    }
  }

  setPolicy(workflow: string, policy: VersionPolicy | null, actor: string | undefined, now: number): void {
    const from = this.#policies.get(workflow) ?? null;
    if (isDeepStrictEqual(from, policy)) return;
    const change = Object.freeze({ at: now, actor: actor ?? null, from, to: policy });
    this.#changes.set(workflow, [change, ...(this.#changes.get(workflow) ?? [])]);
    if (policy === null) this.#policies.delete(workflow);
    else this.#policies.set(workflow, Object.freeze({ ...policy }));
  }

  /** The newest first. */
  changesOf(workflow: string, limit: number): readonly VersionPolicyChange[] {
    return (this.#changes.get(workflow) ?? []).slice(0, limit);
  }

  of(workflow: string, now: number): StoredVersions {
    const known = [...(this.#seen.get(workflow) ?? [])].map(([version, { firstAt, lastAt }]) => {
      return { version, firstSeenAt: firstAt, lastSeenAt: lastAt, isServed: lastAt > now - SERVED_WITHIN_MS };
    });
    known.sort((a, b) => (a.version < b.version ? -1 : 1));
    return { policy: this.#policies.get(workflow) ?? null, known };
  }
}
