// What steps did to the world, kept by somebody who is not the system under test: every execution of every attempt, and
// the rows that transactions left behind.

import type { ClaimedRun } from "../../runtime/store/claims.ts";
import type { MemoryTransaction } from "../../runtime/store/memory/memory-store.ts";
import type { StepContext } from "../../sdk/workflow/step.ts";
import type { Probes } from "./probes.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Witness } from "./witness.ts";

type HeardClaim = Pick<ClaimedRun, "runId" | "events" | "version">;

export interface EffectsOptions {
  readonly witness: Witness;
  readonly now: () => number;
  readonly probes: Probes;
  /** Clocks run at the right speed, so retries must not come early. */
  readonly isPunctual: boolean;
  readonly violation: (kind: string, what: string) => void;
}

export class Effects {
  readonly #options: EffectsOptions;
  /** Executions by "run/command/attempt". */
  readonly executions = new Map<string, number>();
  /** Rows by idempotency key, written by committed transactions. */
  readonly rows = new Map<string, string[]>();
  readonly #byProcess = new Map<string, number>();
  readonly #claimsHeard = new Map<string, number>();
  /** How much of the history came with the claim that a process heard of last, by "process run". */
  readonly #eventsHeard = new Map<string, number>();
  /** Which version's code that claim was for. */
  readonly #versionHeard = new Map<string, string | null>();
  readonly #poisoned = new Map<string, number>();
  #count = 0;

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  /** A process was told that it owns the run, which has so many events. */
  heardClaim(process: SimulatedProcess, { runId, events, version }: HeardClaim): void {
    bump(this.#claimsHeard, `${process.name} ${runId}`);
    this.#eventsHeard.set(`${process.name} ${runId}`, events);
    this.#versionHeard.set(`${process.name} ${runId}`, version);
  }

  begin(process: SimulatedProcess, context: StepContext, version: string | null): string {
    const { runId, idempotencyKey, attempt } = context;
    const { witness, now, probes, violation, isPunctual } = this.#options;
    const key = `${idempotencyKey}/${attempt}`;
    const times = bump(this.executions, key);
    const entry = witness.runs.get(runId);
    const command = Number(idempotencyKey.split("/").at(-1));
    const failed = entry?.chronicle.failures.get(command);
    // Losing a worker costs no attempt: attempts are counted by what is in the history, and nothing else.
    if (attempt > (failed?.attempts ?? 0) + 1) {
      violation("attempts", `${key} begins after ${failed?.attempts ?? 0} failed attempts`);
    }
    if (isPunctual && failed?.attempts === attempt - 1 && now() < failed.nextAt) {
      violation("early", `${key} begins ${failed.nextAt - now()} ms before its pause is over`);
    }
    if (witness.locks.standsStill(runId)) violation("locks", `${key} begins without the locks that its run held`);
    if (times > (entry?.claims ?? 0))
      violation("effects", `${key} is executed ${times} times in ${entry?.claims} claims`);
    const here = bump(this.#byProcess, `${process.name} ${key}`);
    const heard = this.#claimsHeard.get(`${process.name} ${runId}`) ?? 0;
    if (here > heard) violation("effects", `${key} is executed ${here} times in ${process.name}, with ${heard} claims`);
    // A stale owner may waste work. One that was given the end, or the hand-off, with the history has nothing to do.
    const known = this.#eventsHeard.get(`${process.name} ${runId}`) ?? 0;
    const over = entry?.chronicle.outcomes.get(command) ?? entry?.chronicle.handOffs.get(`${command}/${attempt}`);
    if (over !== undefined && over <= known) {
      violation(
        "effects",
        `${key} begins in ${process.name}, which has read in event ${over} that nothing is left of it`,
      );
    }
    const granted = this.#versionHeard.get(`${process.name} ${runId}`) ?? null;
    if (version !== granted) violation("version", `${key} is begun by the code of ${version}, claimed was ${granted}`);
    if (times > 1) probes.hit("step: again after a crash");
    probes.hit("step: executed");
    return `result ${++this.#count}`;
  }

  /** True when this step is to kill its process once more. */
  mayPoison({ idempotencyKey }: StepContext, times: number): boolean {
    return bump(this.#poisoned, idempotencyKey) <= times;
  }

  /** What the store shares with transaction steps. */
  readonly transaction = (): MemoryTransaction => {
    const rows: [string, string][] = [];
    return {
      query: async (_text, values = []) => {
        rows.push([String(values[0]), String(values[1])]);
        return { rows: [], rowCount: 1 };
      },
      commit: () => {
        for (const [key, result] of rows) this.rows.set(key, [...(this.rows.get(key) ?? []), result]);
      },
      rollback: () => {},
    };
  };
}

function bump(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}
