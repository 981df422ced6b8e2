// Errands and kinships in memory: the same words as in the database, done in the same order.

import { invariant } from "../../../sdk/protocol/errors.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import {
  type Answer,
  type Asker,
  adoptionMail,
  answerErrand,
  answerMail,
  childAnswer,
  childStart,
  type Errand,
  errandOfEnd,
  type FollowedChild,
  followedAnswers,
  followedKinship,
  forgottenChild,
  type Kinship,
  mailAnswer,
  type RunEnd,
  type StartErrand,
} from "../errands.ts";
import type { SharedChild } from "../forks.ts";
import type { ErrandsAnswer } from "../store.ts";
import { sendMail } from "./mail.ts";
import { noteRegained } from "./regaining.ts";
import type { RunTable } from "./run-table.ts";
import { closeFromOutside, startRun } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";
import type { Versions } from "./versions.ts";

/** Runs to wake somebody for, and runs that were closed. */
interface Started {
  readonly touched: readonly (StoredRun | undefined)[];
  readonly closed: readonly string[];
}

/** A command waits for one run, and a run may be waited for by several. */
function keyOf({ runId, command }: Asker): string {
  return `${runId}:${command}`;
}

/** A run as whoever follows it sees it. */
function followedChild({ runId, firstRunId: chainId, history, closed }: StoredRun): FollowedChild {
  if (closed === null) return { runId, chainId, isOpen: true };
  const last = history.at(-1);
  invariant(last !== undefined, "a closed run has events", { runId });
  const { seq, at: _at, ...event } = last;
  return { runId, chainId, isOpen: false, end: { runId, status: closed.status, event, seq } };
}

export class Errands {
  readonly #table: RunTable;
  readonly #versions: Versions;
  readonly #kinships = new Map<string, Kinship>();
  #due: Errand[] = [];

  constructor(table: RunTable, versions: Versions) {
    this.#table = table;
    this.#versions = versions;
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
      this.#kinships.delete(keyOf(parent));
      const errand = errandOfEnd(kinship, end, isParent);
      if (errand !== null) this.#due.push(errand);
    }
  }

  /** In the place of the source, the fork is its parent's child, and the parent of these children. */
  passOn(source: StoredRun, fork: string, children: readonly SharedChild[]): void {
    for (const kinship of [...this.#kinships.values()]) {
      const { childRunId, parent } = kinship;
      const isKept = ({ command, runId, isStarted }: SharedChild) =>
        command === parent.command && (isStarted || this.#table.find({ lineOf: runId })?.firstRunId === childRunId);
      const isOwn = parent.runId === source.runId && children.some(isKept);
      if (!isOwn && childRunId !== source.firstRunId) continue;
      this.#kinships.delete(keyOf(parent));
      const asker = isOwn ? { ...parent, runId: fork } : parent;
      this.#kinships.set(keyOf(asker), { ...kinship, childRunId: isOwn ? childRunId : fork, parent: asker });
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
    for (const kind of ["start", "mail", "terminate", "regain"] as const) {
      const chosen = this.#due.filter((errand) => errand.do === kind).slice(0, limit);
      this.#due = this.#due.filter((errand) => !chosen.includes(errand));
      for (const errand of chosen) {
        done += 1;
        if (errand.do === "start") {
          const { touched, closed } = this.#start(errand, now);
          for (const run of touched) tell(run);
          closedIds.push(...closed);
        } else if (errand.do === "mail") tell(this.#mail(errand, now));
        else if (errand.do === "regain") tell(noteRegained(this.#table, errand.grant, now));
        else closedIds.push(...this.#terminate(errand, now));
      }
    }
    return { done, isBusy: false, rejected: [], queues: [...queues], ownerIds: [...ownerIds], closedIds };
  }

  #start(errand: StartErrand, now: number): Started {
    const { asker, child, policy } = errand;
    const parent = this.#table.get(asker.runId);
    const isParentOpen = parent?.closed === null;
    if (errand.again !== undefined) {
      const followed = this.#table.find({ lineOf: child.runId });
      if (followed !== undefined || errand.again.isStarted) {
        return { touched: isParentOpen ? [parent, this.#follow(errand, followed, now)] : [], closed: [] };
      }
    }
    if (!isParentOpen && policy !== "abandon") return { touched: [], closed: [] };
    const before = this.#table.find({ workflowId: child.workflowId });
    const start = childStart(errand, before === parent, this.#versions.of(child.workflow, now));
    if ("type" in start) {
      if (isParentOpen) sendMail(this.#table, { to: { runId: asker.runId }, ...answerMail(asker, start) }, now);
      return { touched: isParentOpen ? [parent] : [], closed: [] };
    }
    const wasOpen = before?.closed === null;
    const outcome = startRun(this.#table, new Map(), start, now);
    const closed = wasOpen && before?.closed !== null ? [before?.runId ?? ""] : [];
    const run = outcome.outcome === "refused" ? undefined : this.#table.get(outcome.runId);
    if (!isParentOpen) return { touched: outcome.outcome === "started" ? [run] : [], closed };
    if (run !== undefined) {
      const isAdopted = outcome.outcome === "existing";
      const kinship = { childRunId: run.firstRunId, parent: asker, policy: isAdopted ? "abandon" : policy } as const;
      this.#kinships.set(keyOf(asker), kinship);
      if (isAdopted) sendMail(this.#table, { to: { runId: run.runId }, ...adoptionMail(asker) }, now);
    }
    sendMail(
      this.#table,
      { to: { runId: asker.runId }, ...answerMail(asker, childAnswer(asker, child, outcome)) },
      now,
    );
    return { touched: [run, parent], closed };
  }

  /** Answers the run that is told that it is waited for. */
  #follow(errand: StartErrand, run: StoredRun | undefined, now: number): StoredRun | undefined {
    const { asker } = errand;
    const tell = (answer: Answer) =>
      sendMail(this.#table, { to: { runId: asker.runId }, ...answerMail(asker, answer) }, now);
    if (run === undefined) {
      tell(forgottenChild(errand));
      return undefined;
    }
    const child = followedChild(run);
    for (const answer of followedAnswers(errand, child)) tell(answer);
    if (!child.isOpen || this.#kinships.has(keyOf(asker))) return undefined;
    this.#kinships.set(keyOf(asker), followedKinship(errand, child));
    sendMail(this.#table, { to: { runId: run.runId }, ...adoptionMail(asker) }, now);
    return run;
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
