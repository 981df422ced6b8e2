// What some seeds have besides what all have: other parts of the language, and of what is done to runs. Each is drawn by itself,
// so all of them come up beside each other. Seeds that have any have fewer runs of the ordinary kind.

import type { Dice } from "./dice.ts";

/** How many of the seeds have it. */
const SHARES = {
  /** Runs that have children, continue or are tried again. */
  families: 0.12,
  /** Steps that hand off, and are completed from outside. */
  deferred: 0.1,
  webhooks: 0.1,
  /** State under a key, called by several processes. */
  entities: 0.1,
  /** Runs that go on from an earlier event, in their place or beside it. */
  forks: 0.1,
  /** Two versions of each workflow, workers that have one or both, and runs that are moved between them. */
  versions: 0.1,
  /** Payloads go through a codec that is slow now and then, and away for a while. */
  codecs: 0.1,
  /** Closed runs are kept for a moment only. */
  pruning: 0.1,
  /** Families, whose runs are reset, retried and forked while they wait for each other. */
  familyForks: 0.08,
} as const;

export type Part = keyof typeof SHARES;

export const PARTS = Object.keys(SHARES) as readonly Part[];

export function drawParts(dice: Dice): ReadonlySet<Part> {
  return consistent(PARTS.filter((part) => dice.split(part).hits(SHARES[part])));
}

/** `none`, or names with commas between them. Undefined for what is neither. */
export function readParts(text: string): ReadonlySet<Part> | undefined {
  const names = text === "none" ? [] : text.split(",");
  const parts = PARTS.filter((part) => names.includes(part));
  return parts.length === names.length ? consistent(parts) : undefined;
}

/** Those outside, whose books are about single runs, would be told that there is no such run. */
const WITHOUT_PRUNING: ReadonlySet<Part> = new Set(["deferred", "webhooks", "entities", "forks"]);

function consistent(parts: readonly Part[]): ReadonlySet<Part> {
  return new Set(parts.includes("pruning") ? parts.filter((part) => !WITHOUT_PRUNING.has(part)) : parts);
}
