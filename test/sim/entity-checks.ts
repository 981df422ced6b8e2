// What must be true of entities: all operations of a key come to one order, each at its place once; what an operation answered is
// the fold of those before it; nothing of a failed one is left; and callers, whichever call of theirs got through, were told that.

import type { UpdateAccepted } from "../../sdk/protocol/event.ts";
import type { EntityCallers } from "./entity-callers.ts";
import type { Ended, FinalOptions } from "./final-checks.ts";
import { LEDGER } from "./ledger.ts";

type Complain = (what: string) => void;

/** One operation as the histories tell of it. */
interface Done {
  readonly id: string;
  /** From one beginning of the entity to its end. */
  readonly life: number;
  /** The state that it left; null: it failed. */
  readonly left: readonly string[] | null;
}

export function checkEntities(
  { violation, isBlocked }: Pick<FinalOptions, "violation"> & { readonly isBlocked: boolean },
  callers: EntityCallers,
  ended: ReadonlyMap<string, Ended>,
): void {
  const runs = [...ended.values()].filter(({ detail }) => detail.workflow === LEDGER);
  const keys = new Set(runs.map(({ detail }) => detail.workflowId.slice(LEDGER.length + 1)));
  for (const key of keys) {
    const complain = (what: string) => violation("entity", `${LEDGER}/${key}: ${what}`);
    const done = foldOf(
      runs.filter(({ detail }) => detail.workflowId === `${LEDGER}/${key}`),
      callers.failing,
      complain,
    );
    checkOnce(done, complain);
    if (!isBlocked) checkTold(done, callers, key, complain);
    checkOrder(done, callers, key, complain);
  }
  for (const { key } of callers.told)
    if (!keys.has(key)) violation("entity", `${LEDGER}/${key} was called and is not there`);
}

/** Goes through the chain of runs of a key, life after life, with a list of its own. */
function foldOf(runs: readonly Ended[], failing: ReadonlySet<string>, complain: Complain): Done[] {
  const done: Done[] = [];
  let life = 0;
  let state: string[] = [];
  for (const { runId, events, replays } of inOrder(runs)) {
    const asked = new Map<string, UpdateAccepted>();
    let latest = 0;
    for (const event of events) {
      if (event.type === "UpdateAccepted") asked.set(event.updateId, event);
      if (event.type !== "UpdateCompleted") continue;
      const mail = asked.get(event.updateId)?.mail ?? 0;
      if (mail <= latest) complain(`${event.updateId} overtook what was stored before it`);
      latest = mail;
      const hasFailed = event.failure !== null;
      if (hasFailed !== failing.has(event.updateId)) complain(`${event.updateId} ended with ${event.failure?.message}`);
      if (!hasFailed) state = [...state, event.updateId];
      const answer = JSON.stringify(state);
      if (!hasFailed && event.result !== answer) complain(`${event.updateId} answered ${event.result}, not ${answer}`);
      done.push({ id: event.updateId, life, left: hasFailed ? null : state });
      if (hasFailed || event.name !== "end") continue;
      // What waits by then is performed by the same run, and finds nothing.
      life++;
      state = [];
    }
    const seen = replays.traces.at(-1);
    if (seen !== JSON.stringify(state)) complain(`run ${runId} ends with ${seen}, not ${JSON.stringify(state)}`);
    if (events.at(-1)?.type !== "RunCompleted") continue;
    life++;
    state = [];
  }
  return done;
}

/** Run ids grow with time; the one that follows a run was made by it. */
function inOrder(runs: readonly Ended[]): Ended[] {
  return [...runs].sort((a, b) => a.detail.startedAt - b.detail.startedAt || (a.runId < b.runId ? -1 : 1));
}

function checkOnce(done: readonly Done[], complain: Complain): void {
  const places = new Set<string>();
  for (const { id, life } of done) {
    if (places.has(`${life} ${id}`)) complain(`${id} was performed twice`);
    places.add(`${life} ${id}`);
  }
}

function checkTold(done: readonly Done[], callers: EntityCallers, key: string, complain: Complain): void {
  for (const { id, told } of callers.told.filter((call) => call.key === key)) {
    const mine = done.filter((each) => each.id === id);
    const isTrue = mine.some(({ left }) => (left === null ? told === "UPDATE_FAILED" : isSame(left, told)));
    if (!isTrue) complain(`the caller of ${id} was told ${String(told)}, it left ${JSON.stringify(mine)}`);
  }
  const states = new Set([[], ...done.map(({ left }) => left)].map((left) => JSON.stringify(left)));
  for (const { entries } of callers.views.filter((view) => view.key === key)) {
    if (!states.has(JSON.stringify(entries))) complain(`a view told ${entries.join()}, which no operation has left`);
  }
}

/** What was answered before another was called for the first time comes before it. */
function checkOrder(done: readonly Done[], callers: EntityCallers, key: string, complain: Complain): void {
  const calls = callers.told.filter((call) => call.key === key);
  const firstOf = (id: string) => done.findIndex((each) => each.id === id);
  for (const before of calls) {
    for (const after of calls) {
      const sentAt = Math.min(...calls.filter(({ id }) => id === after.id).map((call) => call.sentAt));
      if (before.answeredAt >= sentAt || firstOf(before.id) < firstOf(after.id) || firstOf(after.id) < 0) continue;
      complain(`${after.id} was called when ${before.id} had been answered, and came before it`);
    }
  }
}

function isSame(left: readonly string[], told: readonly string[] | string): boolean {
  return JSON.stringify(left) === JSON.stringify(told);
}
