// Which version a new run is of. Decided once, when it is started; the same for client starts, children and runs that
// continue, whoever decides.

import { hashText } from "./hash.ts";
import { assertVersionChoice, BY_POLICY, isVersion, newestIn } from "./versions.ts";

/** Which versions the new runs of a workflow are of, unless their starter says otherwise. */
export interface VersionPolicy {
  readonly current: string;
  /**
   * So many of a hundred new runs are of another version. Chosen by workflow id: the same id is always on the same side, and
   * stays in as the share grows. Null: none.
   */
  readonly ramp: VersionRamp | null;
}

/** Somebody said which versions new runs are of. */
export interface VersionPolicyChange {
  /** Ms since the epoch by the database's clock. */
  readonly at: number;
  /** Who, as they call themselves; null where the call did not say. */
  readonly actor: string | null;
  /** Null: there was none. */
  readonly from: VersionPolicy | null;
  /** Null: it was taken back. */
  readonly to: VersionPolicy | null;
}

export interface VersionRamp {
  readonly version: string;
  /** Above 0 and at most 100; hundredths count. */
  readonly percent: number;
}

/** What the starter of a run says of its version. */
export interface VersionAsk {
  /** Of the definition that it was started with; null for one without. */
  readonly own: string | null;
  /** A version, a range, or "policy". */
  readonly asked: string;
}

/**
 * Null where versions are not spoken of: the run has none. `own`: of the definition. `what` names the argument. Throws
 * ARGUMENT_INVALID.
 */
export function versionAsk(own: string | undefined, asked: string | undefined, what: string): VersionAsk | null {
  if (asked !== undefined) assertVersionChoice(asked, what);
  return own === undefined && asked === undefined ? null : { own: own ?? null, asked: asked ?? BY_POLICY };
}

/** What is known of a workflow's versions where a run is started. */
export interface VersionFacts {
  readonly policy: VersionPolicy | null;
  readonly known: readonly {
    readonly version: string;
    /** A worker that has it was there lately. */
    readonly isServed: boolean;
  }[];
}

/**
 * The version to start with; null for none. Undefined where what was asked for is unknown: it is not the definition's own,
 * and no worker ever had it.
 *
 * Of a range it is the newest that a worker has had lately, else the newest that any ever had: a version that was taken
 * back does not get new runs.
 */
export function chooseVersion(
  { own, asked }: VersionAsk,
  { policy, known }: VersionFacts,
  workflowId: string,
): string | null | undefined {
  if (asked === BY_POLICY) return policy === null ? own : chosenBy(policy, workflowId);
  const mine = own === null ? [] : [own];
  const all = [...known.map(({ version }) => version), ...mine];
  if (isVersion(asked)) return all.includes(asked) ? asked : undefined;
  const served = known.filter(({ isServed }) => isServed).map(({ version }) => version);
  return newestIn(served, asked) ?? newestIn(all, asked) ?? undefined;
}

const PARTS = 10_000;

function chosenBy({ current, ramp }: VersionPolicy, workflowId: string): string {
  if (ramp === null) return current;
  const [, low] = hashText(workflowId, SEED);
  return low % PARTS < ramp.percent * (PARTS / 100) ? ramp.version : current;
}

/** Apart from other uses of the hash: who is on the ramp says nothing of what else is drawn from the id. */
const SEED = 0x72616d70;
