// What must be true of steps completed from outside: every outcome is the word of somebody who had the token of that very
// attempt, the first word counts, each report is taken once, and whoever was refused was refused for a reason.

import { createHash } from "node:crypto";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { Ended, FinalOptions } from "./final-checks.ts";
import type { ToldReport } from "./step-reporters.ts";

type Reported = Extract<
  HistoryEvent,
  { readonly type: "StepCompleted" | "StepFailed" | "StepAttemptFailed" | "StepReported" }
>;
type Complain = (what: string) => void;

/** What the token says of itself: which attempt it is for, and what the history keeps of its secret. */
interface ReadToken {
  readonly command: number;
  readonly attempt: number;
  readonly verifier: string;
}

export function checkReports({ reports, violation }: FinalOptions, ended: ReadonlyMap<string, Ended>): void {
  for (const run of ended.values()) {
    const complain = (what: string) => violation("report", `run ${run.runId}: ${what}`);
    const told = reports.filter(({ runId }) => runId === run.runId);
    const shared = run.detail.forkedFrom?.event ?? 0;
    // What a fork shares is about the tokens of its source.
    const events = run.events.filter(({ seq }) => seq > shared);
    const taken = events.filter(isReported);
    for (const event of taken) checkTaken(event, told, events, complain);
    for (const call of told) checkAnswer(call, taken, { ...run, events }, complain);
    checkFirstCounts(told, taken, complain);
  }
}

function isReported(event: HistoryEvent): event is Reported {
  return "attempt" in event && event.type !== "StepRetried" && "reportId" in event && event.reportId !== undefined;
}

/** Somebody said just this, with the right to say it of this attempt, and it is taken once. */
function checkTaken(event: Reported, told: readonly ToldReport[], events: readonly HistoryEvent[], complain: Complain) {
  const { command, attempt, reportId } = event;
  const said = told.filter(({ report }) => report.reportId === reportId);
  const entitled = said.filter(({ by }) => !("token" in by) || isOf(readToken(by.token), event));
  if (entitled.length === 0) complain(`nobody with a right to it has said ${reportId}, which event ${event.seq} tells`);
  if (!entitled.some(({ report }) => isWordOf(report, event)))
    complain(`event ${event.seq} tells another thing than was said in ${reportId}`);
  const twice = events.filter((other) => isReported(other) && other.reportId === reportId && isOf(other, event));
  if (twice.length > 1) complain(`report ${reportId} is taken ${twice.length} times`);
  if (isIgnored(event)) return;
  const deferred = events.findLast((other) => other.type === "StepDeferred" && isOf(other, event));
  if (deferred === undefined || deferred.seq > event.seq)
    complain(`attempt ${attempt} of ${command} is reported on without having handed off`);
}

function isWordOf(report: ToldReport["report"], event: Reported): boolean {
  if (event.type === "StepCompleted") return report.outcome === "completed" && report.value === event.result;
  if (event.type === "StepReported")
    return event.report === "ignored" || (report.outcome === "heartbeat" && report.value === event.details);
  return report.outcome === "failed" && report.failure.message === event.failure.message;
}

function checkAnswer({ by, report, answer }: ToldReport, taken: readonly Reported[], run: Ended, complain: Complain) {
  const { events, detail } = run;
  const mine = taken.filter(({ reportId }) => reportId === report.reportId);
  const counted = mine.filter((event) => !isIgnored(event));
  const isShut = ["terminated", "timedOut", "blocked"].includes(detail.status);
  const refuted = (why: string) => complain(`${report.reportId} was answered with ${answer}, but ${why}`);
  if (counted.length > 1) complain(`${report.reportId} counted ${counted.length} times`);
  if (answer === "stored") {
    if (mine.length === 0 && !isShut) refuted("the history does not tell of it");
  }
  // By its name, the step may have waited only when the call was made again.
  if (!("token" in by)) return;
  if (answer !== "stored" && counted.length > 0) refuted(`event ${counted[0]?.seq} tells of it`);
  const token = readToken(by.token);
  // A fork asks again, with another token, for what its source has handed off.
  const deferred = events.findLast((event) => event.type === "StepDeferred" && isOf(event, token));
  const isGood = deferred?.type === "StepDeferred" && deferred.verifier === token.verifier;
  if (answer === "stored" && !isGood) refuted("the token is not of the attempt that handed off");
  if (answer === "TOKEN_INVALID" && (isGood || deferred === undefined)) refuted("the token is good");
  if (answer === "STEP_NOT_WAITING" && !events.some((event) => isEndOf(event, token)))
    refuted("the attempt has not ended");
  if (answer === "RUN_CLOSED" && detail.closedAt === null) refuted("the run is open");
  if (!["stored", "TOKEN_INVALID", "STEP_NOT_WAITING", "RUN_CLOSED"].includes(answer))
    refuted("there is no reason for that");
}

/** What was stored before another was sent for the first time comes before it: of one attempt, that one ends it. */
function checkFirstCounts(told: readonly ToldReport[], taken: readonly Reported[], complain: Complain): void {
  for (const counted of taken.filter((event) => event.type !== "StepReported")) {
    const firstSentAt = Math.min(...told.filter((call) => isAbout(call, counted)).map(({ sentAt }) => sentAt));
    // By its name, one report may have been stored for attempt after attempt.
    const isEarlier = ({ by, answer, answeredAt }: ToldReport) =>
      "token" in by && answer === "stored" && answeredAt < firstSentAt;
    for (const late of taken.filter((event) => isIgnored(event) && isOf(event, counted))) {
      if (!told.some((call) => isAbout(call, late) && isEarlier(call))) continue;
      complain(`${counted.reportId} counted, and ${late.reportId} was stored before it was sent`);
    }
  }
}

function isAbout({ report }: ToldReport, { reportId }: Reported): boolean {
  return report.reportId === reportId;
}

function isIgnored(event: Reported): boolean {
  return event.type === "StepReported" && event.report === "ignored";
}

type Attempt = Pick<ReadToken, "command" | "attempt">;

function isOf(one: Attempt, other: Attempt): boolean {
  return one.command === other.command && one.attempt === other.attempt;
}

function isEndOf(event: HistoryEvent, { command, attempt }: Attempt): boolean {
  const isEnd = event.type === "StepCompleted" || event.type === "StepFailed" || event.type === "StepAttemptFailed";
  return isEnd && event.command === command && event.attempt >= attempt;
}

function readToken(token: string): ReadToken {
  const [, command, attempt, secret = ""] = token.split(".");
  const verifier = createHash("sha256").update(secret).digest("base64url");
  return { command: Number(command), attempt: Number(attempt), verifier };
}
