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

export function checkFamilies({ violation }: FinalOptions, ended: Runs): void {
  const followers = new Map<string, string>();
  for (const run of ended.values()) {
    const complain = (what: string) => violation("family", `run ${run.runId}: ${what}`);
    checkStart(run, ended, followers, complain);
    checkNext(run, ended, complain);
    for (const event of run.events) if (event.type === "ChildRequested") checkChild(run, event, ended, complain);
  }
}

type Complain = (what: string) => void;

/** What follows another run, or was asked for by one, is what that one says. */
function checkStart({ runId, events }: Ended, ended: Runs, followers: Map<string, string>, complain: Complain): void {
  const [started] = events;
  if (started?.type !== "RunStarted") return;
  const { continues, parent } = started;
  if (continues !== undefined) {
    const { previousRunId } = continues;
    const last = ended.get(previousRunId)?.events.at(-1);
    if (last?.type !== "RunContinued" || last.nextRunId !== runId)
      complain(`it follows ${previousRunId}, which says otherwise`);
    if (followers.has(previousRunId))
      complain(`it follows ${previousRunId}, and so does ${followers.get(previousRunId)}`);
    followers.set(previousRunId, runId);
  }
  const first = continues?.firstRunId ?? runId;
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
  const told = parent.events.filter((event) => "command" in event && event.command === command);
  const started = told.find(({ type }) => type === "ChildStarted");
  const hasFailed = told.some(({ type }) => type === "ChildStartFailed");
  const end = told.find(({ type }) => type === "ChildEnded");
  const adopted = started?.type === "ChildStarted" ? started.adopted : undefined;
  if (hasFailed && ended.has(childRunId)) complain(`child ${command} was not started, and is there`);
  if (adopted !== undefined && ended.has(childRunId))
    complain(`child ${command} is stood for by ${adopted}, and is there`);
  const child = lastOf(ended, adopted ?? childRunId);
  if (started !== undefined && child === undefined) return complain(`child ${command} was started, and is not there`);
  if (end?.type !== "ChildEnded") return;
  const last = child?.events.at(-1);
  const result = last?.type === "RunCompleted" ? last.result : null;
  if ((end.failure === null) !== (last?.type === "RunCompleted") || end.result !== result) {
    complain(`child ${command} ended with ${last?.type}, told is ${end.failure?.message ?? end.result}`);
  }
}
