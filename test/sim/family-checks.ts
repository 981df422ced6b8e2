// What must be true of chains and families when everything is over: every run that was continued or tried again has just one
// that follows, every child has ended or was dealt with, and its parent has heard the truth, once.

import type { ChildRequested, HistoryEvent } from "../../sdk/protocol/event.ts";
import type { Ended, FinalOptions } from "./final-checks.ts";

type Runs = ReadonlyMap<string, Ended>;

/** The last run of the chain that a run begins. */
export function lastOf(ended: Runs, runId: string): Ended | undefined {
  let run = ended.get(runId);
  for (let last = run?.events.at(-1); last?.type === "RunContinued"; last = run?.events.at(-1)) {
    run = ended.get(last.nextRunId);
  }
  return run;
}

/** The last run of the chain, and of those of the forks that were put in its place. */
function lineOf(ended: Runs, runId: string): Ended[] {
  const last = lastOf(ended, runId);
  if (last === undefined) return [];
  const isHeir = ({ detail }: Ended) =>
    detail.forkedFrom?.runId === last.runId && detail.workflowId === last.detail.workflowId;
  return [last, ...[...ended.values()].filter(isHeir).flatMap((heir) => lineOf(ended, heir.runId))];
}

/** The run that others know it by: the first of its chain, and where that is a fork, of the chain of its source. */
function rootOf(ended: Runs, { runId, events }: Ended): string {
  const [started] = events;
  const first = started?.type === "RunStarted" ? started.continues?.firstRunId : undefined;
  const forked = events.find(({ type }) => type === "RunForked");
  if (first !== undefined && first !== runId) return rootOf(ended, ended.get(first) as Ended);
  const source = forked?.type === "RunForked" ? ended.get(forked.source) : undefined;
  return source === undefined ? runId : rootOf(ended, source);
}

/** Each request for a child that counts: of those that a fork shares and repeats, or makes anew, the last. */
function requestsIn(events: readonly HistoryEvent[]): ChildRequested[] {
  const requests = new Map<number, ChildRequested>();
  for (const event of events) if (event.type === "ChildRequested") requests.set(event.command, event);
  return [...requests.values()];
}

export function checkFamilies({ violation }: FinalOptions, ended: Runs): void {
  const followers = new Map<string, string>();
  for (const run of ended.values()) {
    const complain = (what: string) => violation("family", `run ${run.runId}: ${what}`);
    checkStart(run, ended, followers, complain);
    checkNext(run, ended, complain);
    for (const event of requestsIn(run.events)) checkChild(run, event, ended, complain);
    checkPolicy(run, ended, complain);
  }
}

type Complain = (what: string) => void;

/** What follows another run, or was asked for by one, is what that one says. */
function checkStart(run: Ended, ended: Runs, followers: Map<string, string>, complain: Complain): void {
  const { runId, events, detail } = run;
  const [started] = events;
  if (started?.type !== "RunStarted") return;
  const { continues, parent } = started;
  // A fork begins as its source did.
  if (continues !== undefined && detail.forkedFrom === null) {
    const { previousRunId } = continues;
    const last = ended.get(previousRunId)?.events.at(-1);
    if (last?.type !== "RunContinued" || last.nextRunId !== runId)
      complain(`it follows ${previousRunId}, which says otherwise`);
    if (followers.has(previousRunId))
      complain(`it follows ${previousRunId}, and so does ${followers.get(previousRunId)}`);
    followers.set(previousRunId, runId);
  }
  const first = rootOf(ended, run);
  const isAskedFor = (event: HistoryEvent) => event.type === "ChildRequested" && event.childRunId === first;
  if (parent !== undefined && ended.get(parent.runId)?.events.some(isAskedFor) !== true) {
    complain(`its parent ${parent.runId} has not asked for it`);
  }
}

/** An attempt is numbered, has the input of the one before, and begins when the pause is over, unless to be canceled. */
function checkNext({ events }: Ended, ended: Runs, complain: Complain): void {
  const [first] = events;
  const last = events.at(-1);
  if (last?.type !== "RunContinued") return;
  const next = ended.get(last.nextRunId);
  const [started, ...later] = next?.events ?? [];
  if (started?.type !== "RunStarted" || first?.type !== "RunStarted") return complain("nothing follows it");
  const attempt = last.retry === undefined ? 1 : (first.continues?.retry?.attempt ?? 1) + 1;
  if ((started.continues?.retry?.attempt ?? 1) !== attempt) complain(`the next attempt is not ${attempt}`);
  if (next?.detail.attempt !== attempt) complain(`the next run is kept as attempt ${next?.detail.attempt}`);
  if (last.retry === undefined) return;
  if (started.input !== first.input) complain("the next attempt has another input");
  if (events.some(({ type, at }) => type === "CancelRequested" && at < last.at && !isPassedOn(next))) {
    complain("it was told to cancel, and is tried again");
  }
  const isHurried = later.some(
    ({ type }) => type === "CancelRequested" || type === "RunTerminated" || type === "RunTimedOut",
  );
  const dueAt = last.at + last.retry.delayMs;
  const early = later.find(({ at }) => at < dueAt);
  if (early !== undefined && !isHurried) complain(`the next attempt begins ${dueAt - early.at} ms early`);
}

// One that came too late for the code of the run before.
function isPassedOn(next: Ended | undefined): boolean {
  return next?.events.some(({ type }) => type === "CancelRequested") === true;
}

function checkChild(parent: Ended, asked: ChildRequested, ended: Runs, complain: Complain): void {
  const { command, childRunId } = asked;
  const isRequest = (event: HistoryEvent) => event.type === "ChildRequested" && event.childRunId === childRunId;
  const since = parent.events.findIndex(isRequest);
  const told = parent.events.filter(
    (event, index) => index >= since && "command" in event && event.command === command,
  );
  const started = told.findLast(({ type }) => type === "ChildStarted");
  const hasFailed = told.some(({ type }) => type === "ChildStartFailed");
  const end = told.find(({ type }) => type === "ChildEnded");
  const adopted = started?.type === "ChildStarted" ? started.adopted : undefined;
  // It may be another's: of the run that this one was forked from, or of a fork of it.
  const isThere = parentOf(ended.get(childRunId)) === parent.runId;
  if (hasFailed && isThere) complain(`child ${command} was not started, and is there`);
  if (adopted !== undefined && isThere) complain(`child ${command} is stood for by ${adopted}, and is there`);
  const line = lineOf(ended, adopted ?? childRunId);
  if (started !== undefined && line.length === 0) return complain(`child ${command} was started, and is not there`);
  if (end?.type !== "ChildEnded") return;
  const isTrue = line.some(({ events }) => {
    const last = events.at(-1);
    const result = last?.type === "RunCompleted" ? last.result : null;
    return (end.failure === null) === (last?.type === "RunCompleted") && end.result === result;
  });
  if (isTrue) return;
  const ends = line.map(({ events }) => events.at(-1)?.type).join();
  complain(`child ${command} ended with ${ends}, told is ${end.failure?.message ?? end.result}`);
}

function parentOf(run: Ended | undefined): string | undefined {
  const [started] = run?.events ?? [];
  return started?.type === "RunStarted" ? started.parent?.runId : undefined;
}

/** Nobody is ended because its parent was, when a fork in the place of that one has it. */
function checkPolicy(run: Ended, ended: Runs, complain: Complain): void {
  const last = run.events.at(-1);
  const [, parentId = ""] =
    (last?.type === "RunTerminated" && /^its parent run (\w+) is closed/.exec(last.reason)) || [];
  const closing = ended.get(parentId)?.events.at(-1);
  const [, heirId = ""] = (closing?.type === "RunTerminated" && /^Run (\w+) was forked/.exec(closing.reason)) || [];
  const heir = ended.get(heirId);
  if (heir === undefined) return;
  const forkedAt = heir.events.findIndex((event) => event.type === "RunForked" && event.source === parentId);
  const fork = heir.events[forkedAt];
  const shared = heir.events.slice(0, forkedAt);
  const root = rootOf(ended, run);
  const asked = requestsIn(shared).find(({ childRunId }) => childRunId === root);
  if (asked === undefined || (fork?.type === "RunForked" && fork.retried === asked.command)) return;
  const isOver = ({ type }: HistoryEvent) => type === "ChildEnded" || type === "ChildStartFailed";
  if (shared.some((event) => "command" in event && event.command === asked.command && isOver(event))) return;
  complain(`it was ended with its parent ${parentId}, in whose place ${heirId} has it`);
}
