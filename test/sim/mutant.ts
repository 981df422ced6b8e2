// What a planted defect is, and where it sits.

import type { Store } from "../../runtime/store/store.ts";
import type { AppendTurn, Successor } from "../../runtime/store/turns.ts";
import type { WorkerSettings } from "../../runtime/worker/settings.ts";
import type { FaultPlan } from "./faults.ts";
import type { Part } from "./parts.ts";

/** What a mutant may look at to do its mischief. */
export interface MutantStage {
  readonly store: Store;
  readonly claimOf: (runId: string) => AppendTurn["claim"] | null;
  readonly eventsOf: (runId: string) => number;
}

export interface Mutant {
  readonly does: string;
  readonly store?: (stage: MutantStage) => Partial<Store>;
  readonly settings?: Partial<WorkerSettings>;
  readonly faults?: Partial<FaultPlan>;
  /** So many payloads are stored as they are, where there are codecs. */
  readonly plainShare?: number;
  /** What every seed is to have besides what all have; none: more of that. Default: as each says. */
  readonly parts?: readonly Part[];
}

export function withSuccessor(turn: AppendTurn, change: (successor: Successor) => Successor): AppendTurn {
  const { effects } = turn;
  const successor = effects?.successor ?? null;
  return effects === null || successor === null
    ? turn
    : { ...turn, effects: { ...effects, successor: change(successor) } };
}
