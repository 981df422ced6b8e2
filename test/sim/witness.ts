// Stands at the store's door and watches every call as it is carried out. Keeps books of its own on who may write which
// run, and on every history, and complains at the very commit that breaks a rule. Changes nothing.

import type { Claim, ClaimedRun } from "../../runtime/store/claims.ts";
import type { ForkRequest } from "../../runtime/store/forks.ts";
import type { StartOutcome, StartRequest } from "../../runtime/store/starts.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import { isClosed } from "../../sdk/protocol/run.ts";
import { Chronicle } from "./chronicle.ts";
import { checkFork, isEdited } from "./fork-checks.ts";
import { type KeptRun, readKept } from "./kept-run.ts";
import { LockBook } from "./lock-book.ts";
import type { Probes } from "./probes.ts";

interface Entry {
  readonly chronicle: Chronicle;
  /** Whose code it is for: as it began, or where it was moved last. */
  version: string | null;
  /** Who may write, by our own books. */
  claim: Claim | null;
  ownerId: string | null;
  epoch: number;
  claims: number;
  isParked: boolean;
  isPaused: boolean;
  blocked: string | null;
}

export interface WitnessOptions {
  /** What processes talk to: the store, or the store with a planted defect. */
  readonly store: Store;
  /** The store itself, for looking only. */
  readonly truth: Store;
  /** The same, as a process with the codecs sees it. */
  readonly readable: Store;
  readonly now: () => number;
  /** How long closed runs are kept; null: for ever. */
  readonly retentionMs: number | null;
  readonly probes: Probes;
  readonly violation: (kind: string, what: string) => void;
  readonly committed: (runId: string, text: string) => void;
}

export class Witness {
  readonly runs = new Map<string, Entry>();
  /** Runs that are neither closed nor blocked. */
  readonly open = new Set<string>();
  readonly #options: WitnessOptions;
  readonly #tags = new Set<string>();
  readonly #forks = new Set<string>();
  /** Runs that were deleted, as they were then. */
  readonly deleted = new Map<string, KeptRun>();
  readonly locks: LockBook;

  constructor(options: WitnessOptions) {
    this.#options = options;
    this.locks = new LockBook(options.probes);
  }

  chronicle(runId: string): Chronicle | undefined {
    return this.runs.get(runId)?.chronicle;
  }

  /** A fork that stands still behind a run that was set aside with what the fork is to have again. */
  isHeldUp(runId: string): boolean {
    return this.locks.holdersBefore(runId).some((holder) => this.runs.get(holder)?.blocked != null);
  }

  /** The store as processes reach it. */
  door(): Store {
    const { store } = this.#options;
    const door: Store = {
      checkReady: () => store.checkReady(),
      close: () => store.close(),
      claimRuns: async (request) => {
        const answer = await store.claimRuns(request);
        for (const run of answer.claimed) {
          // Locks that a fork has again are told in its history by the store.
          const isTold = run.hasFired && run.events > (this.chronicle(run.runId)?.length ?? 0);
          if (isTold) await this.#fired(run);
          else if (this.#forks.has(run.runId)) await this.#grew(run.runId);
          this.#claimed(run, request.workerId);
        }
        for (const runId of answer.quarantined) this.#blocked(runId, "quarantine");
        if (request.suspects === "only") this.#hit("claim: suspect", answer.claimed.length);
        return answer;
      },
      claimBlocked: async (workerId, claimId, runIds) => {
        const claimed = await store.claimBlocked(workerId, claimId, runIds);
        for (const run of claimed) this.#claimed(run, workerId);
        return claimed;
      },
      loadHistories: (runIds) => store.loadHistories(runIds),
      appendTurns: async (turns) => {
        const answer = await store.appendTurns(turns);
        for (const turn of turns) await this.#appended(turn, answer.committed.has(turn.claim.runId));
        return answer;
      },
      appendWithEffects: async (turns) => {
        const answer = await store.appendWithEffects(turns);
        for (const turn of turns) {
          await this.#appended(turn, answer.committed.has(turn.claim.runId));
          const successor = turn.effects?.successor ?? null;
          if (successor !== null) await this.#grew(successor.runId);
        }
        await this.#growForks();
        return answer;
      },
      resolveTurns: async (turns) => {
        const answers = await store.resolveTurns(turns);
        for (const { landed, owned } of answers) {
          this.#hit(landed ? "in doubt: landed" : owned ? "in doubt: not landed" : "in doubt: lost");
        }
        return answers;
      },
      confirm: (workerId) => store.confirm(workerId),
      appendInTransaction: async (work) => {
        let turn: AppendTurn | undefined;
        const answer = await store.appendInTransaction(async (tx) => {
          turn = await work(tx);
          return turn;
        });
        if (turn !== undefined) await this.#appended(turn, answer.committed);
        this.#hit(answer.committed ? "transaction: committed" : "transaction: refused");
        return answer;
      },
      readMail: (boxes, limit) => store.readMail(boxes, limit),
      runsWithMail: (workerId) => store.runsWithMail(workerId),
      parkRuns: async (requests) => {
        const outcomes = await store.parkRuns(requests);
        for (const { claim, takenMail } of requests) {
          const outcome = outcomes.get(claim.runId);
          if (outcome === "mail") this.#hit("park: refused, mail came");
          if (outcome === "lost") this.#hit("park: refused, not owned");
          if (outcome !== "parked") continue;
          this.#hit("parked");
          this.#mustHold(claim, "was parked");
          const mail = await this.#options.truth.readMail([{ runId: claim.runId, after: takenMail }], 1);
          if (mail.length > 0) this.#complain("parked over mail", claim.runId, `mail ${mail[0]?.mail} was not taken`);
          this.#letGo(claim.runId, true);
        }
        return outcomes;
      },
      claimsOf: (workerId) => store.claimsOf(workerId),
      releaseRuns: async (claims) => {
        await store.releaseRuns(claims);
        for (const claim of claims) {
          if (!this.#holds(claim)) continue;
          this.#letGo(claim.runId, false);
          this.#hit("released");
        }
      },
      blockRuns: async (blocks) => {
        await store.blockRuns(blocks);
        for (const { claim, reason } of blocks) {
          if (!this.#holds(claim)) continue;
          this.#letGo(claim.runId, false);
          this.#blocked(claim.runId, reason.kind);
          this.#complain("blocked", claim.runId, `${reason.kind}: ${reason.message}`);
        }
      },
      saveHeartbeats: async (beats) => {
        const held = await store.saveHeartbeats(beats);
        for (const { claim } of beats) {
          const isKept = held.has(claim.runId);
          this.#hit(isKept ? "heartbeat: kept" : "heartbeat: refused, not owned");
          // One process may send beats of a claim that it lost beside those of the claim it has now.
          const ofRun = beats.filter((beat) => beat.claim.runId === claim.runId);
          if (isKept !== ofRun.some((beat) => this.#holds(beat.claim))) {
            this.#complain("fence", claim.runId, `a heartbeat of epoch ${claim.epoch} was ${isKept ? "" : "not "}kept`);
          }
        }
        return held;
      },
      takeQueries: async (workerId, queues, limit) => {
        const taken = await store.takeQueries(workerId, queues, limit);
        this.#hit("query: of a run nobody owned", taken.filter(({ ownerId }) => ownerId === null).length);
        return taken;
      },
      answerQueries: (answers) => store.answerQueries(answers),
      ownerIds: () => store.ownerIds(),
      rescueRuns: async (workerId, limit) => {
        const rescued = await store.rescueRuns(workerId, limit);
        if (rescued.count > 0) this.#hit("rescued", rescued.count);
        const owned = [...this.runs].filter(([, { ownerId }]) => ownerId === workerId);
        if (owned.length !== rescued.count)
          this.#complain("rescue", workerId, `${rescued.count} of ${owned.length} runs`);
        for (const [runId] of owned) this.#letGo(runId, false);
        return rescued;
      },
      closeOverdue: async (limit) => {
        const closed = await store.closeOverdue(limit);
        for (const runId of closed) await this.#grew(runId);
        return closed;
      },
      findBlocked: (request) => store.findBlocked(request),
      registerVersions: (versions) => store.registerVersions(versions),
      moveRun: async (request) => {
        const answer = await store.moveRun(request);
        const entry = this.runs.get(request.runId);
        if (entry === undefined || answer.outcome !== "changed") return answer;
        this.#hit("control: moved");
        entry.version = request.version;
        entry.isParked = false;
        if (entry.blocked !== null) this.open.add(request.runId);
        entry.blocked = null;
        return answer;
      },
      readVersions: (workflows) => store.readVersions(workflows),
      setVersionPolicy: (workflow, policy, actor) => store.setVersionPolicy(workflow, policy, actor),
      readPolicyChanges: (workflow, limit) => store.readPolicyChanges(workflow, limit),
      runErrands: async (limit) => {
        const answer = await store.runErrands(limit);
        if (answer.done === 0) return answer;
        this.#hit("errand: done", answer.done);
        const runs = await this.#options.truth.listRuns({ limit: 200 });
        for (const { runId, status } of runs) {
          const entry = this.runs.get(runId);
          if (entry === undefined) this.#hit("child: started");
          if (entry === undefined || (entry.chronicle.closing === undefined && isClosed(status)))
            await this.#grew(runId);
        }
        await this.#growForks();
        return answer;
      },
      findExpired: (request) => store.findExpired(request),
      deleteRuns: async (runIds) => {
        const kept = await Promise.all(runIds.map((runId) => readKept(this.#options.readable, runId)));
        const deleted = await store.deleteRuns(runIds);
        for (const [index, runId] of runIds.entries()) {
          const run = kept[index];
          if (run != null && deleted.includes(runId)) await this.#deleted(runId, run);
        }
        return deleted;
      },
      forgetLeftovers: () => store.forgetLeftovers(),
      startRuns: async (requests) => {
        const outcomes = await this.#startRuns(store, requests);
        for (const [index, { runId, outcome }] of outcomes.entries()) {
          if (outcome === "existing") this.#hit("start: existing run used");
          if (outcome === "started" && runId !== requests[index]?.runId) this.#hit("start: repeated, same run");
          await this.#grew(runId);
          const { claim, version = null } = requests[index] ?? {};
          if (outcomes[index]?.claimed == null || claim == null) continue;
          this.#hit("start: claimed at once");
          this.#claimed({ runId, epoch: 1, claimId: claim.claimId, events: 1, version }, claim.workerId);
        }
        return outcomes;
      },
      sendMail: async (requests) => {
        const outcomes = await store.sendMail(requests);
        for (const { outcome, runId } of outcomes) {
          const entry = runId === null ? undefined : this.runs.get(runId);
          if (outcome === "accepted" && entry?.isParked) {
            entry.isParked = false;
            this.#hit("mail: woke a parked run");
          }
          if (outcome === "duplicate") this.#hit("mail: duplicate recognised");
          if (outcome === "closed") this.#hit("mail: refused, closed");
        }
        return outcomes;
      },
      controlRun: async (request) => {
        const answer = await store.controlRun(request);
        const entry = this.runs.get(request.runId);
        if (entry === undefined || answer.outcome !== "changed") return answer;
        if (request.kind === "pause") this.#hit("control: paused");
        if (request.kind !== "unblock") entry.isPaused = request.kind === "pause";
        else if (entry.chronicle.closing === undefined) {
          entry.blocked = null;
          this.open.add(request.runId);
        }
        return answer;
      },
      forkRun: async (request) => {
        const answer = await store.forkRun(request);
        if (answer.outcome !== "forked" || this.runs.has(request.runId)) return answer;
        this.#forks.add(request.runId);
        await this.#grew(request.sourceId);
        await this.#grew(request.runId, request);
        const complain = (what: string) => this.#complain("fork", request.runId, what);
        await checkFork(this.#options.readable, request, complain);
        return answer;
      },
      terminateRun: async (runId, reason, actor) => {
        const outcome = await store.terminateRun(runId, reason, actor);
        await this.#grew(runId);
        return outcome;
      },
      findRun: (ref) => store.findRun(ref),
      listRuns: (request) => store.listRuns(request),
      countRuns: (request) => store.countRuns(request),
      listLocks: (request) => store.listLocks(request),
      readHistory: (runId, afterSeq, limit) => store.readHistory(runId, afterSeq, limit),
      readUpdates: (looks) => store.readUpdates(looks),
      readStepEvents: (runId, step) => store.readStepEvents(runId, step),
      readEventsOfType: (runIds, type, limit) => store.readEventsOfType(runIds, type, limit),
      importRun: (request) => store.importRun(request),
      readOutcomes: (runIds) => store.readOutcomes(runIds),
      missingRuns: (runIds) => store.missingRuns(runIds),
      askQuery: (request) => store.askQuery(request),
      takeAnswer: (queryId) => store.takeAnswer(queryId),
    };
    return this.#watchInvariants(door);
  }

  /** An invariant that the store itself finds broken is a violation, whoever hears of it. */
  #watchInvariants(door: Store): Store {
    return new Proxy(door, {
      get: (target, key: keyof Store) => {
        const call = target[key] as (...values: unknown[]) => Promise<unknown>;
        return (...values: unknown[]) =>
          call(...values).catch((error: unknown) => {
            if (isEverstepError(error, "INVARIANT_BROKEN")) {
              this.#complain("store", "-", `${key}: ${error.message} ${JSON.stringify(error.details)}`);
            }
            throw error;
          });
      },
    });
  }

  #claimed(run: Pick<ClaimedRun, keyof Claim | "events" | "version">, workerId: string): void {
    const entry = this.runs.get(run.runId);
    if (entry === undefined) return this.#complain("claim", run.runId, "claimed before it was started");
    const { runId, epoch, claimId } = run;
    if (this.locks.standsStill(runId)) this.#complain("claim", runId, "claimed without the locks that it held");
    if (entry.isPaused) this.#complain("claim", run.runId, "claimed while it is paused");
    if (run.version !== entry.version)
      this.#complain("claim", run.runId, `claimed as version ${run.version}, it is ${entry.version}`);
    if (entry.claim !== null) this.#complain("claim", runId, "claimed while somebody owns it");
    if (entry.chronicle.closing !== undefined) this.#complain("claim", runId, "claimed after its end");
    if (epoch <= entry.epoch) this.#complain("claim", runId, `epoch ${epoch} after epoch ${entry.epoch}`);
    if (run.events !== entry.chronicle.length) {
      this.#complain("claim", runId, `${run.events} events, there are ${entry.chronicle.length}`);
    }
    entry.claim = { runId, epoch, claimId };
    entry.ownerId = workerId;
    entry.epoch = epoch;
    entry.claims++;
    entry.isParked = false;
    if (entry.blocked !== null) this.open.add(runId);
    entry.blocked = null;
  }

  /** A claim has told of a timer: it was due, alone, and nothing that had come was passed over. */
  async #fired({ runId, takenMail }: ClaimedRun): Promise<void> {
    this.#hit("claim: timer fired");
    const complain = (what: string) => this.#complain("claim", runId, what);
    const entry = this.runs.get(runId);
    if (entry?.isParked !== true) complain("a timer fired of a run that was not parked");
    const mail = await this.#options.truth.readMail([{ runId, after: takenMail }], 1);
    if (mail.length > 0) complain(`a timer fired before mail ${mail[0]?.mail}, which was there`);
    const fresh = await this.#grew(runId);
    const last = entry?.chronicle.events.at(-1);
    if (fresh !== 1 || last?.type !== "TimerFired")
      complain(`${fresh} events came of a timer, the last a ${last?.type}`);
  }

  async #appended(turn: AppendTurn, isCommitted: boolean): Promise<void> {
    const { runId } = turn.claim;
    const entry = this.runs.get(runId);
    const length = entry?.chronicle.length ?? 0;
    const isHeld = this.#holds(turn.claim);
    if (isCommitted) {
      this.#hit("append: committed");
      if (turn.at !== null) this.#hit("append: seen before it was committed");
      this.#mustHold(turn.claim, "appended");
      if (turn.base !== length)
        this.#complain("head", runId, `a turn for event ${turn.base + 1} landed at ${length + 1}`);
      if (turn.notBefore !== null && this.#options.now() < turn.notBefore) {
        this.#complain("early", runId, `a turn landed ${turn.notBefore - this.#options.now()} ms early`);
      }
      for (const { mail } of turn.refusals) entry?.chronicle.refuse(mail);
      // A run that continues leaves its mail to the next one, but for what was for itself alone.
      if (turn.close !== null && turn.close !== "continuedAsNew") {
        const mail = await this.#options.truth.readMail([{ runId, after: turn.takenMail }], 1);
        if (mail.length > 0) this.#complain("closed over mail", runId, `mail ${mail[0]?.mail} was not taken`);
      }
    } else if (!isHeld) {
      this.#hit("append: fenced");
    } else if (turn.base !== length) {
      this.#hit("append: refused, head moved");
    } else if (turn.notBefore !== null && this.#options.now() < turn.notBefore) {
      this.#hit("append: refused, too early");
    } else if (turn.close !== null) {
      this.#hit("close: refused, mail first");
    } else {
      this.#complain("append", runId, "refused without a reason");
    }
    if (this.#tags.has(turn.tag)) this.#hit("append: same turn arrived twice");
    this.#tags.add(turn.tag);
    const fresh = await this.#grew(runId);
    const expected = isCommitted ? turn.events.length : 0;
    if (fresh !== expected) this.#complain("append", runId, `${fresh} events came of a turn of ${expected}`);
  }

  /** Whoever lets go of a lock appends to the history of the fork that has it then. */
  async #growForks(): Promise<void> {
    for (const runId of this.#forks) if (this.locks.standsStill(runId)) await this.#grew(runId);
  }

  /** Reads the run's history anew; answers how many events came. `fork`: it has just been made by this. */
  async #grew(runId: string, fork?: ForkRequest): Promise<number> {
    const stored = await this.#options.truth.readHistory(runId, 0, Number.MAX_SAFE_INTEGER);
    if (stored.length === 0) return 0;
    let entry = this.runs.get(runId);
    if (entry === undefined) {
      const source = fork && this.chronicle(fork.sourceId);
      const refused = fork && source?.refusedBy(fork.at);
      // Another result in the place of a report: that has been taken, and no event tells of it.
      if (fork !== undefined && isEdited(fork)) refused?.push(source?.mailOf(fork.at) ?? 0);
      const chronicle = new Chronicle(runId, this.#options.probes, refused);
      entry = {
        chronicle,
        version: null,
        claim: null,
        ownerId: null,
        epoch: 0,
        claims: 0,
        isParked: false,
        isPaused: false,
        blocked: null,
      };
      this.runs.set(runId, entry);
      this.open.add(runId);
    }
    const fresh = entry.chronicle.absorb(stored, (what) => this.#complain("history", runId, what));
    for (const event of fresh) {
      if (event.type === "RunStarted" || event.type === "RunForked") entry.version = event.version ?? null;
      if (event.type === "RunForked") this.locks.forked(runId, entry.chronicle.events.slice(0, event.seq));
      if (event.seq > (fork?.at ?? 0)) this.locks.tell(runId, event, (what) => this.#complain("lock", runId, what));
      const which = "command" in event ? ` ${event.name} ${event.command}` : "mail" in event ? ` ${event.mail}` : "";
      this.#options.committed(runId, `${event.seq} ${event.type}${which} @${event.at} e${entry.epoch}`);
    }
    if (entry.chronicle.closing !== undefined) {
      this.#letGo(runId, false);
      this.open.delete(runId);
    }
    return fresh.length;
  }

  /** It had ended, long enough ago, with all that came of it; and nothing of it is left. */
  async #deleted(runId: string, run: KeptRun): Promise<void> {
    const { truth, now, retentionMs } = this.#options;
    this.#hit("run: deleted");
    this.deleted.set(runId, run);
    const complain = (what: string) => this.#complain("deleted", runId, what);
    let last = this.chronicle(runId)?.closing;
    if (last === undefined) return complain("it is open");
    const age = now() - last.at;
    if (retentionMs === null || age < retentionMs)
      complain(`${age} ms after its end; it is kept for ${retentionMs} ms`);
    while (last?.type === "RunContinued") last = this.chronicle(last.nextRunId)?.closing;
    if (last === undefined) complain("a run of its chain is open");
    const left = await readKept(truth, runId);
    const events = await truth.readHistory(runId, 0, 1);
    if (left !== null || events.length > 0) complain("something of it is left");
  }

  /**
   * A start that comes after its run was deleted would begin it again: whoever deletes runs keeps them for longer than a request
   * may be under way, which the simulation does not, so that it has some that are deleted.
   */
  async #startRuns(store: Store, requests: readonly StartRequest[]): Promise<readonly StartOutcome[]> {
    const started = await store.startRuns(requests.filter(({ runId }) => !this.deleted.has(runId)));
    const answers = started[Symbol.iterator]();
    return requests.map(({ runId }) => {
      if (this.deleted.has(runId)) {
        return { outcome: "started", runId, status: "completed", ownerId: null, claimed: null } as const;
      }
      return answers.next().value as StartOutcome;
    });
  }

  #blocked(runId: string, kind: string): void {
    const entry = this.runs.get(runId);
    if (entry === undefined) return;
    entry.blocked = kind;
    this.open.delete(runId);
    if (kind === "quarantine") this.#hit("quarantined");
  }

  #letGo(runId: string, isParked: boolean): void {
    const entry = this.runs.get(runId);
    if (entry === undefined) return;
    entry.claim = null;
    entry.ownerId = null;
    entry.isParked = isParked;
  }

  #holds(claim: Claim): boolean {
    const held = this.runs.get(claim.runId)?.claim;
    return held != null && held.epoch === claim.epoch && held.claimId === claim.claimId;
  }

  #mustHold(claim: Claim, did: string): void {
    if (!this.#holds(claim))
      this.#complain("fence", claim.runId, `epoch ${claim.epoch} ${did} without the right to write`);
  }

  #hit(probe: string, times = 1): void {
    this.#options.probes.hit(probe, times);
  }

  #complain(kind: string, runId: string, what: string): void {
    this.#options.violation(kind, `run ${runId}: ${what}`);
  }
}
