// What comes from outside for a step that waits to be completed: is the bearer's token good, does the step still wait? Only
// what history answers with yes is put into the mailbox, so nobody fills it with guesses. By the time the run comes to the
// mail things may have changed; its owner decides then.

import type { RunReference, StepReference, StepReportCall } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent, StepDeferred } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import type { MailRequest } from "../store/mail.ts";
import type { RunDetail, StepRef } from "../store/runs.ts";
import { encodeReport, reportMailId } from "../store/step-report.ts";
import type { ClientStore } from "../store/store.ts";
import { Backoff } from "../world/backoff.ts";
import { pause } from "../world/pause.ts";
import { type Insistence, insist } from "./insist.ts";
import { isSameVerifier, parseStepToken, verifierOf } from "./step-token.ts";

export interface StepReportsOptions {
  readonly store: ClientStore;
  readonly insistence: Insistence;
  /** Throws RUN_NOT_FOUND. */
  readonly find: (to: RunReference) => Promise<RunDetail>;
  /** Throws RUN_CLOSED. */
  readonly send: (request: MailRequest) => Promise<unknown>;
}

/** A token may be used before its attempt has handed off: the body is still saying so. */
const HAND_OFF_MS = 5_000;

export class StepReports {
  readonly #options: StepReportsOptions;

  constructor(options: StepReportsOptions) {
    this.#options = options;
  }

  /** Resolves when the report is stored, or was before. */
  async report(step: StepReference, call: StepReportCall): Promise<void> {
    // Chosen before the first try: a repeated send is recognised by it.
    const reportId = call.reportId ?? this.#options.insistence.world.chance.uuid();
    const found = await this.#find(step, reportId);
    if (found === "heard") return;
    const { run, deferred } = found;
    const { command, attempt, verifier, name } = deferred;
    const { reportId: _, ...outcome } = call;
    await this.#options.send({
      to: { runId: run.runId },
      kind: "stepReport",
      mailId: reportMailId(deferred, reportId),
      name,
      payload: encodeReport({ command, attempt, verifier, ...outcome }),
    });
  }

  /** Rejects as `report` would by now. */
  async foresee(to: RunReference, step: string, { reportId }: StepReportCall): Promise<void> {
    await this.#find({ to, step }, reportId ?? "");
  }

  async #find(step: StepReference, reportId: string): Promise<Found> {
    if (reportId !== "") assertWorkflowId(reportId, "reportId");
    const found = "token" in step ? await this.#byToken(step.token, reportId) : await this.#byName(step, reportId);
    if (found !== "heard" && found.run.closedAt !== null) throw closed(found.run);
    return found;
  }

  async #byToken(text: string, reportId: string): Promise<Found> {
    const token = parseStepToken(text);
    const { runId, command, attempt } = token;
    const verifier = verifierOf(token.secret);
    const { world, signal } = this.#options.insistence;
    const backoff = new Backoff(world.chance, { firstMs: 20, maxMs: 500 });
    const giveUpAt = world.clock.monotonic() + HAND_OFF_MS;
    while (true) {
      const run = await this.#options.find({ runId });
      const steps = ownOf(run, await this.#read(runId, { command }));
      const deferred = steps.findLast((event) => event.type === "StepDeferred" && event.attempt === attempt);
      if (deferred?.type === "StepDeferred") {
        if (!isSameVerifier(deferred.verifier, verifier)) throw foreign(run);
        if (hasHeard(steps, deferred, reportId)) return "heard";
        if (isOver(steps, deferred)) throw notWaiting(run, deferred.name);
        return { run, deferred };
      }
      if (isOver(steps, token)) throw notWaiting(run, steps[0]?.name ?? "");
      if (run.closedAt !== null) throw closed(run);
      if (signal.aborted || world.clock.monotonic() >= giveUpAt) throw underWay(run);
      await pause(world.clock, backoff.next(), signal);
    }
  }

  async #byName({ to, step }: StepOfRun, reportId: string): Promise<Found> {
    assertStep(step);
    const run = await this.#options.find(to);
    const steps = await this.#read(run.runId, typeof step === "number" ? { command: step } : { name: step });
    const deferred = steps.filter((event) => event.type === "StepDeferred");
    if (deferred.some((each) => hasHeard(steps, each, reportId))) return "heard";
    const own = ownOf(run, steps);
    const waiting = own.filter((event) => event.type === "StepDeferred").filter((each) => !isOver(own, each));
    const [only] = waiting;
    if (only === undefined) throw run.closedAt === null ? notWaiting(run, step) : closed(run);
    if (waiting.length === 1) return { run, deferred: only };
    const message = `${waiting.length} steps "${step}" of run ${run.workflowId} wait to be completed from outside. Say which by its number, as describe() shows it, or by its token.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "step", runId: run.runId, step } });
  }

  async #read(runId: string, step: StepRef): Promise<StepEvent[]> {
    const { store, insistence } = this.#options;
    const events = (await insist(insistence, () => store.readStepEvents(runId, step))).map(fromRecord);
    return events.filter((event) => event !== undefined && "attempt" in event);
  }
}

type StepOfRun = Exclude<StepReference, { readonly token: string }>;

function assertStep(step: string | number): void {
  if (typeof step === "string") return assertName(step, "step name");
  if (Number.isInteger(step) && step > 0) return;
  const message = `A step is meant by its name, or by its number from 1 as describe() shows it; got ${String(step)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "step", step } });
}

type Found = "heard" | { readonly run: RunDetail; readonly deferred: StepDeferred };
type StepEvent = Extract<HistoryEvent, { attempt: number }>;
type Attempt = Pick<StepEvent, "command" | "attempt">;

/** What a fork shares with its source is about tokens of that, and attempts that it may make again. */
function ownOf({ forkedFrom }: RunDetail, steps: readonly StepEvent[]): readonly StepEvent[] {
  return forkedFrom === null ? steps : steps.filter(({ seq }) => seq > forkedFrom.event);
}

function isOver(steps: readonly StepEvent[], { command, attempt }: Attempt): boolean {
  return steps.some((event) => {
    const ends = event.type === "StepCompleted" || event.type === "StepFailed" || event.type === "StepAttemptFailed";
    return ends && event.command === command && event.attempt >= attempt;
  });
}

/** What was ignored was not heard. */
function hasHeard(steps: readonly StepEvent[], { command, attempt }: Attempt, reportId: string): boolean {
  return steps.some((event) => {
    if (event.command !== command || event.attempt !== attempt || !("reportId" in event)) return false;
    return event.reportId === reportId && !(event.type === "StepReported" && event.report === "ignored");
  });
}

function notWaiting({ workflowId, runId }: RunDetail, step: string | number): EverstepError {
  const message = `Step ${typeof step === "number" ? step : `"${step}"`} of run ${workflowId} does not wait to be completed from outside: it has ended or goes on in another attempt, its body has not handed off, or there is none. Look at the run with describe().`;
  return new EverstepError("STEP_NOT_WAITING", message, { details: { runId, step } });
}

function foreign({ workflowId, runId }: RunDetail): EverstepError {
  const message = `The token is not of the attempt of run ${workflowId} that waits. A worker that was lost while the step's body ran may have given it out: the one that the next body gave out is good.`;
  return new EverstepError("TOKEN_INVALID", message, { details: { runId } });
}

function underWay({ workflowId, runId }: RunDetail): EverstepError {
  const message = `The step of run ${workflowId} that the token is for has not handed off within ${HAND_OFF_MS} ms. Try again when its body has returned completeLater().`;
  return new EverstepError("STEP_UNDER_WAY", message, { details: { runId } });
}

function closed({ workflowId, runId }: RunDetail): EverstepError {
  const message = `Run ${workflowId} is closed. Its steps wait for nothing any more.`;
  return new EverstepError("RUN_CLOSED", message, { details: { run: workflowId, runId } });
}
