// What a committed turn wants done to other runs. An errand is stored in the transaction that makes it due, and goes away in
// the transaction that does it: so it is done exactly once, whoever dies in between. The same words for every store.

import type {
  ChildEnded,
  ChildStarted,
  ChildStartFailed,
  ExternalDelivered,
  ExternalFailed,
  LockGranted,
} from "../../sdk/protocol/event.ts";
import type { EventRecord } from "../../sdk/protocol/event-record.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { VersionAsk, VersionFacts } from "../../sdk/protocol/version-policy.ts";
import { chooseVersion } from "../../sdk/protocol/version-policy.ts";
import type { LockGrant } from "./locks.ts";
import type { MailKind, MailOutcome, MailRequest } from "./mail.ts";
import { CANCEL_MAIL_ID } from "./mail-id.ts";
import { idIn, type RunRef } from "./run-ref.ts";
import type { StartOutcome, StartRequest } from "./starts.ts";
import { NO_VERSIONS, startedAs, unknownVersion } from "./versions.ts";

/** A command of a run, to be answered by mail. */
export interface Asker {
  readonly runId: string;
  readonly command: number;
  readonly name: string;
}

/** What becomes of a child that is open when its parent closes. */
export type ClosePolicy = "terminate" | "cancel" | "abandon";

export type StartErrand = Errand & { readonly do: "start" };

export type Errand =
  | {
      readonly do: "start";
      readonly asker: Asker;
      readonly child: Pick<
        StartRequest,
        "runId" | "workflowId" | "workflow" | "queue" | "started" | "carriesData" | "onReuse" | "timeoutMs"
      > &
        // Absent: fail.
        Partial<Pick<StartRequest, "onConflict">>;
      /** Decided when the child is started. Absent: the child has no version. */
      readonly version?: VersionAsk;
      readonly policy: ClosePolicy;
      /** A fork asks for what was under way in its source; absent for a child that nobody has asked for before. */
      readonly again?: AskedAgain;
    }
  | {
      readonly do: "mail";
      readonly to: RunRef;
      readonly mail: Omit<MailRequest, "to">;
      /** Null: nobody waits to hear whether it was accepted. */
      readonly asker: Asker | null;
    }
  | { readonly do: "terminate"; readonly to: RunRef; readonly reason: string }
  /** A fork that stands still has a lock again. */
  | { readonly do: "regain"; readonly grant: LockGrant };

/** Of a child that a fork shares with its source. The run may be there, or have been there: then it is not started once more. */
export interface AskedAgain {
  /** The fork's history tells that it was started, and the run that is named is the one that stands for it. */
  readonly isStarted: boolean;
  /** The source goes on with it: the fork only waits for it. */
  readonly isBeside: boolean;
}

/** What has become of a child that is asked for again: the last of its line. */
export type FollowedChild = { readonly runId: string; readonly chainId: string } & (
  | { readonly isOpen: true }
  | { readonly isOpen: false; readonly end: RunEnd }
);

/**
 * A child and the run that waits for its end. The child is named by the first run of its chain. A run that was there before may
 * be waited for by several, which leave it alone when they close.
 */
export interface Kinship {
  readonly childRunId: string;
  readonly parent: Asker;
  readonly policy: ClosePolicy;
}

export interface RunEnd {
  readonly runId: string;
  readonly status: ClosedStatus;
  /** The closing event, as it is kept: codecs may stand before its payload. */
  readonly event: EventRecord;
  /** Its place in the history. Null of an end from outside, which has no payload. */
  readonly seq: number | null;
}

/** What an answer tells; its place in the mailbox is added when it is taken. */
export type Answer =
  | WithoutMail<ChildStarted | ChildStartFailed | ExternalDelivered | ExternalFailed | LockGranted>
  | (Pick<ChildEnded, "type" | "command" | "name"> & { readonly end: RunEnd });
type WithoutMail<T> = T extends { mail: number } ? Omit<T, "mail"> : never;

/** The event that an answer is for the run that takes it. */
export function eventOfAnswer(
  answer: Answer,
  mail: number,
): ChildStarted | ChildStartFailed | ChildEnded | ExternalDelivered | ExternalFailed | LockGranted {
  if (answer.type !== "ChildEnded") return { ...answer, mail };
  const { type, command, name, end } = answer;
  return { type, command, name, mail, ...howItEnded(end) };
}

export const ANSWER_KIND = "answer";
/** Mail about commands of one run: it means nothing to the run that continues it. */
export const KINDS_OF_ONE_RUN: readonly MailKind[] = [
  ANSWER_KIND,
  "stepReport",
  "retryNow",
  "skipSleep",
  "pause",
  "resume",
  "unblock",
  "move",
];

export function answerErrand(asker: Asker, answer: Answer): Errand & { readonly do: "mail" } {
  return { do: "mail", to: { runId: asker.runId }, mail: answerMail(asker, answer), asker: null };
}

export function answerMail({ runId, command }: Asker, answer: Answer): Omit<MailRequest, "to"> {
  const mailId = `${ANSWER_KIND}:${answer.type}:${runId}:${command}`;
  return { kind: ANSWER_KIND, mailId, name: answer.name, payload: JSON.stringify(answer) };
}

export function childAnswer(
  { command, name }: Asker,
  { workflowId }: Pick<StartRequest, "workflowId">,
  { outcome, runId, status }: Pick<StartOutcome, "outcome" | "runId" | "status">,
): Answer {
  if (outcome === "existing") return { type: "ChildStarted", command, name, adopted: runId };
  if (outcome === "started") return { type: "ChildStarted", command, name };
  const message = `Child run ${workflowId} was not started: run ${runId}, which is ${status}, has its workflow id. Give the child another id.`;
  return { type: "ChildStartFailed", command, name, failure: refusal("RUN_ALREADY_STARTED", message) };
}

/**
 * The start that a child's errand is, or what its parent is told instead: there is no such version. `isOwn`: the parent asks
 * for a child with its own workflow id, and finds it taken: it would wait for itself, or end itself.
 */
export function childStart(
  { asker: { command, name }, child, version: ask }: StartErrand,
  isOwn: boolean,
  facts: VersionFacts = NO_VERSIONS,
): StartRequest | Answer {
  const { workflow, workflowId, started } = child;
  const version = ask === undefined ? null : chooseVersion(ask, facts, workflowId);
  if (version !== undefined) {
    const onConflict = isOwn ? "fail" : (child.onConflict ?? "fail");
    const asked = { requestId: null, onConflict, delayMs: 0, mail: null, claim: null };
    return { ...child, ...asked, version, started: startedAs(started, version) };
  }
  const why = ask === undefined ? "" : unknownVersion(workflow, ask, facts);
  const message = `Child run ${workflowId} was not started. ${why}`;
  return { type: "ChildStartFailed", command, name, failure: refusal("VERSION_UNKNOWN", message) };
}

export function mailAnswer({ command, name }: Asker, to: RunRef, { outcome }: Pick<MailOutcome, "outcome">): Answer {
  if (outcome === "accepted" || outcome === "duplicate") return { type: "ExternalDelivered", command, name };
  const who = idIn(to);
  const failure =
    outcome === "notFound"
      ? refusal("RUN_NOT_FOUND", `There is no run ${who}: "${name}" reached nobody.`)
      : refusal("RUN_CLOSED", `Run ${who} is closed: "${name}" came too late.`);
  return { type: "ExternalFailed", command, name, failure };
}

/** Tells an open run that its end matters to one that has not started it: it does not close before it knows. */
export function adoptionMail({ runId, command }: Asker): Omit<MailRequest, "to"> {
  return { kind: "adopt", mailId: `adopt:${runId}:${command}`, name: runId, payload: null };
}

/** What the end of a run makes due: to tell its parent, or to deal with a child of its own. */
export function errandOfEnd({ childRunId, parent, policy }: Kinship, end: RunEnd, isParent: boolean): Errand | null {
  if (!isParent) return answerErrand(parent, { type: "ChildEnded", command: parent.command, name: parent.name, end });
  const to = { lineOf: childRunId };
  const reason = `its parent run ${end.runId} is closed (${end.status})`;
  switch (policy) {
    case "terminate":
      return { do: "terminate", to, reason };
    case "cancel":
      return {
        do: "mail",
        to,
        mail: { kind: "cancel", mailId: CANCEL_MAIL_ID, name: reason, payload: null },
        asker: null,
      };
    case "abandon":
      return null;
  }
}

function howItEnded({ status, event }: RunEnd): { readonly result: Payload; readonly failure: Failure | null } {
  if (status === "completed") return { result: event.payload, failure: null };
  const data = JSON.parse(event.data ?? "{}") as { reason?: string; timeoutMs?: number };
  if (status === "terminated") {
    const message = data.reason ?? "the run was terminated";
    return { result: null, failure: { kind: "terminated", type: "TerminatedFailure", message, retryable: false } };
  }
  if (status === "timedOut") {
    const message = `the run was open longer than ${data.timeoutMs} ms`;
    const failure = { kind: "timeout", type: "TimeoutFailure", message, retryable: false, timeout: "run" } as const;
    return { result: null, failure };
  }
  return { result: null, failure: JSON.parse(event.payload ?? "null") as Failure };
}

/** What a fork is told of a child that it asks for again, and that was started before: as if it had waited for it all along. */
export function followedAnswers(
  { asker: { command, name }, again }: Pick<StartErrand, "asker" | "again">,
  child: FollowedChild,
): Answer[] {
  const adopted = again?.isBeside === true ? { adopted: child.runId } : {};
  const started: Answer[] = again?.isStarted === true ? [] : [{ type: "ChildStarted", command, name, ...adopted }];
  return child.isOpen ? started : [...started, { type: "ChildEnded", command, name, end: child.end }];
}

/** The fork's, if it is to be its own; the source's is moved with the fork. */
export function followedKinship({ asker, again, policy }: StartErrand, { chainId }: FollowedChild): Kinship {
  return { childRunId: chainId, parent: asker, policy: again?.isBeside === true ? "abandon" : policy };
}

/** A child whose start is in the fork's history, and of which nothing is kept. */
export function forgottenChild({ asker, child: { runId } }: StartErrand): Answer {
  const { command, name } = asker;
  const message = `Child run ${runId} is not there any more: it was deleted before run ${asker.runId}, a fork, could follow it.`;
  return { type: "ChildStartFailed", command, name, failure: refusal("RUN_NOT_FOUND", message) };
}

/** An EverstepError as the code will catch it. */
function refusal(
  code: "RUN_ALREADY_STARTED" | "VERSION_UNKNOWN" | "RUN_NOT_FOUND" | "RUN_CLOSED",
  message: string,
): Failure {
  return { kind: "application", type: "EverstepError", message, retryable: false, code };
}
