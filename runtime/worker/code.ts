// The code that a worker has: workflows by name and version.

import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { RetentionRule } from "../store/retention.ts";

/** One text for a name and a version. A version holds no spaces, and a name without one is followed by nothing. */
export function codeKey(name: string, version: string | null): string {
  return version === null ? name : `${name}\t${version}`;
}

export class Code {
  readonly #workflows: ReadonlyMap<string, AnyWorkflow>;
  /** Each name and version there is. */
  readonly keys: readonly VersionKey[];
  /** Each name once. */
  readonly names: readonly string[];
  /** Names of the workflows without a version. */
  readonly unversioned: readonly string[];

  constructor(workflows: readonly AnyWorkflow[]) {
    this.#workflows = new Map(
      workflows.map((workflow) => [codeKey(workflow.name, workflow.version ?? null), workflow]),
    );
    this.keys = workflows.map(({ name, version }) => ({ workflow: name, version: version ?? null }));
    this.names = [...new Set(this.keys.map(({ workflow }) => workflow))];
    this.unversioned = this.keys.flatMap(({ workflow, version }) => (version === null ? [workflow] : []));
  }

  get({ workflow, version }: VersionKey): AnyWorkflow | undefined {
    return this.#workflows.get(codeKey(workflow, version));
  }

  has(key: VersionKey): boolean {
    return this.get(key) !== undefined;
  }

  /** For people: `"order" 1.4.0`. */
  toString(): string {
    return this.keys.map(({ workflow, version }) => `"${workflow}"${version === null ? "" : ` ${version}`}`).join(", ");
  }

  /** Runs are kept as long as the most patient of a workflow's versions says. */
  get retention(): RetentionRule[] {
    const longest = new Map<string, number | null>();
    for (const { name, retentionMs } of this.#workflows.values()) {
      const before = longest.has(name) ? longest.get(name) : 0;
      const isForEver = before == null || retentionMs === null;
      longest.set(name, isForEver ? null : Math.max(before, retentionMs));
    }
    return [...longest].flatMap(([workflow, retentionMs]) => (retentionMs === null ? [] : [{ workflow, retentionMs }]));
  }
}
