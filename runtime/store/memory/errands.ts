// Errands and kinships in memory: the same words as in the database, done in the same order.

import { toRecord } from "../../../sdk/protocol/event-record.ts";
import {
  answerErrand,
  answerMail,
  childAnswer,
  type Errand,
  errandOfEnd,
  type Kinship,
  mailAnswer,
  type RunEnd,
} from "../errands.ts";
import type { ErrandsAnswer } from "../store.ts";
import { sendMail } from "./mail.ts";
import type { RunTable } from "./run-table.ts";
import { closeFromOutside, startRun } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";

export class Errands {
  readonly #table: RunTable;
  readonly #kinships = new Map<string, Kinship>();
  #due: Errand[] = [];

  constructor(table: RunTable) {
    this.#table = table;
  }

  keep(errands: readonly Errand[]): void {
    this.#due.push(...errands);
  }

  /** The run was closed: leaves what is due to its parent and its children. */
  part(run: StoredRun, end: RunEnd): void {
    for (const kinship of [...this.#kinships.values()]) {
      const { childRunId, parent } = kinship;
      const isParent = parent.runId === run.runId;
      const isChild = childRunId === run.firstRunId && end.status !== "continuedAsNew";
      if (!isParent && !isChild) continue;
      this.#kinships.delete(childRunId);
      const errand = errandOfEnd(kinship, end, isParent);
      if (errand !== null) this.#due.push(errand);
    }
  }

  /** One kind after the other, the oldest first. */
  run(limit: number, now: number): ErrandsAnswer {
    const queues = new Set<string>();
    const ownerIds = new Set<string>();
    const closedIds: string[] = [];
    let done = 0;
    const tell = (run: StoredRun | undefined) => {
      if (run?.head?.ownerId != null) ownerIds.add(run.head.ownerId);
      else if (run !== undefined) queues.add(run.queue);
    };
    for (const kind of ["start", "mail", "terminate"] as const) {
      const chosen = this.#due.filter((errand) => errand.do === kind).slice(0, limit);
      this.#due = this.#due.filter((errand) => !chosen.includes(errand));
      for (const errand of chosen) {
        done += 1;
        if (errand.do === "start") for (const run of this.#start(errand, now)) tell(run);
        else if (errand.do === "mail") tell(this.#mail(errand, now));
        else closedIds.push(...this.#terminate(errand, now));
      }
    }
    return { done, isBusy: false, rejected: [], queues: [...queues], ownerIds: [...ownerIds], closedIds };
  }

  #start({ asker, child, policy }: Errand & { readonly do: "start" }, now: number): (StoredRun | undefined)[] {
    const parent = this.#table.get(asker.runId);
    const isParentOpen = parent?.closed === null;
    if (!isParentOpen && policy !== "abandon") return [];
    const request = { ...child, requestId: null, onConflict: "fail", delayMs: 0, mail: null, claim: null } as const;
    const outcome = startRun(this.#table, new Map(), request, now);
    const started = outcome.outcome === "refused" ? undefined : this.#table.get(child.runId);
    if (!isParentOpen) return [started];
    if (started !== undefined) this.#kinships.set(child.runId, { childRunId: child.runId, parent: asker, policy });
    sendMail(
      this.#table,
      { to: { runId: asker.runId }, ...answerMail(asker, childAnswer(asker, child, outcome)) },
      now,
    );
    return [started, parent];
  }

  #mail({ to, mail, asker }: Errand & { readonly do: "mail" }, now: number): StoredRun | undefined {
    const outcome = sendMail(this.#table, { to, ...mail }, now);
    if (asker !== null) this.#due.push(answerErrand(asker, mailAnswer(asker, to, outcome)));
    return outcome.runId === null ? undefined : this.#table.get(outcome.runId);
  }

  #terminate({ to, reason }: Errand & { readonly do: "terminate" }, now: number): string[] {
    const run = this.#table.find(to);
    if (run === undefined || run.closed !== null) return [];
    closeFromOutside(this.#table, run, "terminated", toRecord({ type: "RunTerminated", reason }), now);
    return [run.runId];
  }
}
