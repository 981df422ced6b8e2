// Planted defects: what a careless store, clock or client could do. The simulation has to find each of them; an oracle
// that has never found anything proves nothing. They sit between the witness and the store, or in the settings; nothing
// in the product knows of them.

import type { ClaimedRun, ParkedTimer, ParkRequest } from "../../runtime/store/claims.ts";
import type { Answer, Errand } from "../../runtime/store/errands.ts";
import type { LockChanges } from "../../runtime/store/locks.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { changingHistories } from "../support/store-calls.ts";
import type { FaultPlan } from "./faults.ts";
import { type Mutant, type MutantStage, withSuccessor } from "./mutant.ts";
import { MUTANTS_OF_PARTS } from "./mutants-of-parts.ts";

/** Claims change hands all the time, under workers that do not know. */
const CONTESTED: Partial<FaultPlan> = { leaseEvictedEveryMs: 100, lateExecution: 0.1, lostReply: 0.1 };

const MUTANTS_OF_ALL: Readonly<Record<string, Mutant>> = {
  noFence: {
    does: "appends whoever asks: neither epoch nor claim id is compared",
    store: ({ store, claimOf }) => ({
      appendTurns: (turns) =>
        store.appendTurns(turns.map((turn) => ({ ...turn, claim: claimOf(turn.claim.runId) ?? turn.claim }))),
    }),
    faults: CONTESTED,
  },
  parksForOthers: {
    does: "parks a run for a worker that no longer owns it",
    store: ({ store, claimOf }) => ({
      parkRuns: (requests) =>
        store.parkRuns(
          requests.map((request) => ({ ...request, claim: claimOf(request.claim.runId) ?? request.claim })),
        ),
    }),
    faults: CONTESTED,
  },
  noHead: {
    does: "appends at the end of the history, wherever the writer thought that was",
    store: ({ store, eventsOf }) => ({
      appendTurns: (turns) => store.appendTurns(turns.map((turn) => ({ ...turn, base: eventsOf(turn.claim.runId) }))),
    }),
  },
  lostReplyIsFailure: {
    does: "takes a lost reply for a failure: the same events are appended once more, under a new tag",
    store: ({ store, eventsOf }) => {
      const doubted = new Set<string>();
      return {
        resolveTurns: async (turns) => {
          const answers = await store.resolveTurns(turns);
          return answers.map((answer, index) => {
            const turn = turns[index];
            if (!answer.landed || !answer.owned || turn === undefined) return answer;
            doubted.add(turn.tag);
            return { ...answer, landed: false, events: turn.base };
          });
        },
        appendTurns: (turns) =>
          store.appendTurns(
            turns.map((turn) =>
              doubted.has(turn.tag) ? { ...turn, tag: `${turn.tag}-again`, base: eventsOf(turn.claim.runId) } : turn,
            ),
          ),
      };
    },
  },
  noSignalDedup: {
    does: "accepts a signal as often as it is sent",
    store: ({ store }) => {
      let sent = 0;
      return {
        sendMail: (requests) =>
          store.sendMail(
            requests.map((mail) => ({
              ...mail,
              mailId: mail.kind === "signal" ? `${mail.mailId}?${++sent}` : mail.mailId,
            })),
          ),
      };
    },
  },
  parksOverMail: {
    does: "parks a run without a look into its mailbox: the signal that came meanwhile wakes nobody",
    store: ({ store }) => {
      const asleep = new Set<string>();
      return {
        parkRuns: async (requests) => {
          const outcomes = new Map(await store.parkRuns(requests));
          for (const { claim, wakeAt } of requests) {
            if (outcomes.get(claim.runId) !== "mail" || wakeAt !== null) continue;
            // A blocked run is one that mail does not wake, which is what this defect comes to.
            await store.blockRuns([{ claim, reason: { kind: "foreignWait", message: "asleep" } }]);
            asleep.add(claim.runId);
            outcomes.set(claim.runId, "parked");
          }
          return outcomes;
        },
        sendMail: async (requests) => {
          const outcomes = await store.sendMail(requests);
          for (const { runId, outcome } of outcomes) {
            if (runId === null || outcome !== "accepted" || !asleep.delete(runId)) continue;
            await store.releaseRuns(await store.claimBlocked("nobody", "nobody", [runId]));
          }
          return outcomes;
        },
        findBlocked: async (request) => {
          const blocked = await store.findBlocked(request);
          return blocked.filter(({ runId }) => !asleep.has(runId));
        },
      };
    },
  },
  closesOverMail: {
    does: "closes a run although signals wait in its mailbox",
    store: ({ store }) => ({
      appendTurns: async (turns) => {
        const boxes = turns.map(({ claim, takenMail }) => ({ runId: claim.runId, after: takenMail }));
        const waiting = await store.readMail(boxes, 1_000);
        return store.appendTurns(
          turns.map((turn) => {
            const last = waiting.filter(({ runId }) => runId === turn.claim.runId).at(-1);
            return turn.close === null || last === undefined ? turn : { ...turn, takenMail: last.mail };
          }),
        );
      },
    }),
    parts: [],
  },
  workerClockTimers: {
    does: "fires timers by the worker's own clock",
    store: ({ store }) => ({
      appendTurns: (turns) => store.appendTurns(turns.map((turn) => ({ ...turn, notBefore: null }))),
    }),
    faults: { drift: 0.1 },
  },
  acknowledgesEarly: {
    does: "acknowledges a start before it is committed, and now and then does not commit it",
    store: ({ store }) => {
      let calls = 0;
      return {
        startRuns: async (requests) => {
          if (++calls % 5 !== 0) return store.startRuns(requests);
          return requests.map(
            ({ runId }) => ({ outcome: "started", runId, status: "running", ownerId: null, claimed: null }) as const,
          );
        },
      };
    },
  },
  signalAfterEnd: {
    does: "acknowledges signals to runs that are closed",
    store: ({ store }) => ({
      sendMail: async (requests) =>
        (await store.sendMail(requests)).map((answer) =>
          answer.outcome === "closed" ? { ...answer, outcome: "accepted" } : answer,
        ),
    }),
  },
  mailOutOfOrder: {
    does: "hands mail over newest first",
    store: ({ store }) => ({
      readMail: async (boxes, limit) => [...(await store.readMail(boxes, limit))].reverse(),
    }),
  },
  locksForAll: {
    does: "grants a lock to whoever asks, as if it were a semaphore with very many permits",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(
          turns.map((turn) =>
            withLocks(turn, ({ requests, releases }) => {
              return { releases, requests: requests.map((request) => ({ ...request, capacity: 1_000 })) };
            }),
          ),
        ),
    }),
    parts: [],
  },
  keepsLocks: {
    does: "forgets, now and then, that a run has let go",
    store: ({ store }) => {
      let turnsSeen = 0;
      return {
        appendWithEffects: (turns) =>
          store.appendWithEffects(
            turns.map((turn) =>
              withLocks(turn, (locks) => (++turnsSeen % 2 === 0 ? { ...locks, releases: [] } : locks)),
            ),
          ),
      };
    },
    parts: [],
  },
  tornTurn: {
    does: "commits the first event of a turn and forgets the others",
    store: ({ store }) => ({
      appendTurns: (turns) =>
        store.appendTurns(
          turns.map((turn) => (turn.close === null ? { ...turn, events: turn.events.slice(0, 1) } : turn)),
        ),
    }),
  },
  nobodyIsRescued: {
    does: "never finds a lost worker",
    store: () => ({ rescueRuns: async () => ({ count: 0, queues: [] }) }),
  },
  onlyHints: {
    does: "looks for work only when woken, and wake-ups are lost",
    settings: { pollMs: 1e9 },
    faults: { lostWakeup: 0.6 },
  },
  staleHistory: {
    does: "loads histories without their newest event, and says that this is all",
    store: ({ store }) => {
      const { claimRuns, loadHistories } = changingHistories(store, (events) =>
        events.length === 1 ? events : events.slice(0, -1),
      );
      return {
        claimRuns: async (request) => {
          const answer = await claimRuns(request);
          const shortened = answer.claimed.map((run) =>
            run.history === null ? { ...run, events: Math.max(1, run.events - 1) } : run,
          );
          return { ...answer, claimed: shortened };
        },
        loadHistories,
      };
    },
  },
  firesOverMail: {
    does: "fires the timer that a run was parked for when the run is claimed, whatever has come before it",
    store: ({ store }) => {
      const parked = new Map<string, ParkRequest>();
      return {
        parkRuns: async (requests) => {
          for (const request of requests) parked.set(request.claim.runId, request);
          return store.parkRuns(requests);
        },
        claimRuns: async (request) => {
          const answer = await store.claimRuns(request);
          const claimed: ClaimedRun[] = [];
          for (const run of answer.claimed) {
            const { timer = null, wakeAt = null } = parked.get(run.runId) ?? {};
            parked.delete(run.runId);
            const isDue = timer !== null && wakeAt !== null && wakeAt <= answer.now;
            if (!isDue || run.hasFired || run.newestMail === run.takenMail) claimed.push(run);
            else claimed.push(await firedNow(store, run, timer));
          }
          return { ...answer, claimed };
        },
      };
    },
  },
  forgetsErrands: {
    does: "commits what a run asks of others, and never does it",
    store: ({ store }) => ({
      appendWithEffects: (turns) => store.appendWithEffects(turns.map((turn) => withErrands(turn, () => []))),
    }),
    parts: ["families"],
  },
  leavesOrphans: {
    does: "leaves children alone when their parent ends, whatever its policy",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(
          turns.map((turn) =>
            withErrands(turn, (errands) =>
              errands.map((errand) => (errand.do === "start" ? { ...errand, policy: "abandon" } : errand)),
            ),
          ),
        ),
    }),
    parts: ["families"],
  },
  wrongAnswers: {
    does: "tells parents that their children ended with nothing",
    store: ({ store }) => ({
      readMail: async (boxes, limit) =>
        (await store.readMail(boxes, limit)).map((item) =>
          item.kind === "answer" ? { ...item, payload: withoutResult(item.payload) } : item,
        ),
    }),
    parts: ["families"],
  },
  hurriesRetries: {
    does: "tries runs again without the pause",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(
          turns.map((turn) =>
            withSuccessor(turn, (next) => ({ ...next, ...(next.retry && { retry: { ...next.retry, delayMs: 0 } }) })),
          ),
        ),
    }),
    parts: ["families"],
  },
  forgetsAttempts: {
    does: "tries runs again as if for the first time",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(
          turns.map((turn) =>
            withSuccessor(turn, (next) => {
              const { retry, ...continues } = JSON.parse(next.started.data ?? "{}").continues;
              if (retry === undefined) return next;
              const data = JSON.stringify({ ...JSON.parse(next.started.data ?? "{}"), continues });
              return { ...next, started: { ...next.started, data } };
            }),
          ),
        ),
    }),
    parts: ["families"],
  },
  forksLeaveChildren: {
    does: "leaves the children of a run that is forked to what becomes of them when it ends",
    store: ({ store }) => ({ forkRun: (request) => store.forkRun({ ...request, children: [] }) }),
    parts: ["familyForks"],
  },
  forksAskNothingAgain: {
    does: "forgets what forks ask for again",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(
          turns.map((turn) =>
            withErrands(turn, (errands) =>
              errands.filter((errand) => errand.do !== "start" || errand.again === undefined),
            ),
          ),
        ),
    }),
    parts: ["familyForks"],
  },
  pausesNothing: {
    does: "says that a run is paused, and goes on with it",
    store: ({ store }) => ({
      controlRun: async (request) => {
        const found = await store.findRun({ runId: request.runId });
        const outcome = found === null ? "notFound" : found.closedAt === null ? "changed" : "closed";
        return { outcome, queue: found?.queue ?? null, ownerId: found?.ownerId ?? null };
      },
    }),
  },
  wrongStatus: {
    does: "tells callers that every closed run completed",
    store: ({ store }) => ({
      readOutcomes: async (runIds) => {
        const outcomes = await store.readOutcomes(runIds);
        return new Map([...outcomes].map(([runId, { event }]) => [runId, { status: "completed" as const, event }]));
      },
    }),
  },
};

export const MUTANTS: Readonly<Record<string, Mutant>> = { ...MUTANTS_OF_ALL, ...MUTANTS_OF_PARTS };

function withLocks(turn: AppendTurn, change: (locks: LockChanges) => LockChanges): AppendTurn {
  const { effects } = turn;
  if (effects?.locks === undefined) return turn;
  return { ...turn, effects: { ...effects, locks: change(effects.locks) } };
}

function withErrands(turn: AppendTurn, change: (errands: readonly Errand[]) => readonly Errand[]): AppendTurn {
  const { effects } = turn;
  return effects === null ? turn : { ...turn, effects: { ...effects, errands: change(effects.errands) } };
}

function withoutResult(payload: string | null): string | null {
  const answer = JSON.parse(payload ?? "null") as Answer;
  if (answer.type !== "ChildEnded" || answer.end.status !== "completed") return payload;
  return JSON.stringify({ ...answer, end: { ...answer.end, event: { ...answer.end.event, payload: null } } });
}

/** The store with the mutant's defect in it. */
export function mutate(mutant: Mutant | undefined, stage: MutantStage): Store {
  const defects = mutant?.store?.(stage);
  if (defects === undefined) return stage.store;
  const { store } = stage;
  return new Proxy(store, {
    get: (target, key: keyof Store) => {
      const defect = defects[key];
      if (defect !== undefined) return defect;
      const method = target[key] as (...values: unknown[]) => unknown;
      return method.bind(target);
    },
  });
}

async function firedNow(store: Store, run: ClaimedRun, { command, name }: ParkedTimer): Promise<ClaimedRun> {
  const { runId, epoch, claimId, events: base, takenMail } = run;
  const events = [toRecord({ type: "TimerFired", command, name })];
  const claim = { runId, epoch, claimId };
  const tag = `fired-${runId}-${base}`;
  const rest = { at: null, refusals: [], notBefore: null, close: null, effects: null };
  const { committed } = await store.appendTurns([{ claim, tag, base, events, takenMail, ...rest }]);
  return committed.has(runId) ? { ...run, events: base + 1, history: null, hasFired: true } : run;
}
