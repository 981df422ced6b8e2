// Those who complete steps from outside. Each attempt that hands off gives out a token; whoever has it reports once or several
// times, early and late, each report perhaps twice and through another process. Each token is answered in the end.

import type { StepReportCall } from "../../sdk/client/front-door.ts";
import { completion, failing, heartbeat } from "../../sdk/client/step-reports.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StepContext } from "../../sdk/workflow/step.ts";
import type { Caller } from "./caller.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";

/** One call, by a token or by the step's name, and what its caller was told in the end. */
export interface ToldReport {
  readonly runId: string;
  readonly by: { readonly token: string } | { readonly step: string };
  readonly report: StepReportCall;
  readonly sentAt: number;
  readonly answeredAt: number;
  /** The code of an error; or that it was stored. */
  readonly answer: string;
}

export interface StepReportersOptions {
  readonly callers: readonly [Caller, Caller];
  readonly dice: Dice;
  readonly probes: Probes;
  readonly now: () => number;
  readonly isBlocked: (runId: string) => boolean;
}

type Reference = ToldReport["by"];

export class StepReporters {
  readonly told: ToldReport[] = [];
  readonly #options: StepReportersOptions;
  #reports = 0;

  constructor(options: StepReportersOptions) {
    this.#options = options;
  }

  /** The body of an attempt has given out its token: it may yet fail, or be lost, before that is committed. */
  handedOut({ runId, token }: StepContext, step: string): void {
    const { dice, probes } = this.#options;
    probes.hit("token: given out");
    for (let more = dice.int(0, 2); more > 0; more--) {
      const isNamed = dice.hits(0.2);
      this.#send(runId, isNamed ? { step } : { token }, this.#draw(dice.pick([0, 1, 1, 2] as const)), 3_000);
    }
    this.#send(runId, { token }, this.#draw(dice.hits(0.2) ? 1 : 0), 4_000);
  }

  /** Each says something else, so that it can be told whose word counted. */
  #draw(kind: 0 | 1 | 2): StepReportCall {
    const reportId = `report-${++this.#reports}`;
    if (kind === 0) return completion(`said in ${reportId}`, { reportId });
    if (kind === 1) return failing(new Error(`refused in ${reportId}`), { reportId });
    return { ...heartbeat(`alive in ${reportId}`), reportId };
  }

  #send(runId: string, by: Reference, report: StepReportCall, withinMs: number): void {
    const { dice, callers } = this.#options;
    for (let times = dice.hits(0.35) ? 2 : 1; times > 0; times--) {
      const caller = dice.pick(callers);
      caller.task(async () => {
        await caller.sleep(withinMs, dice);
        await this.#insist(caller, runId, by, report);
      });
    }
  }

  async #insist(caller: Caller, runId: string, by: Reference, report: StepReportCall): Promise<void> {
    const { now, probes, dice, isBlocked } = this.#options;
    const step = "token" in by ? by : { to: { runId }, step: by.step };
    const sentAt = now();
    while (!isBlocked(runId)) {
      const answer = await this.#answerOf(() => caller.insist(() => caller.service.reportStep(step, report)));
      probes.hit(`report: ${answer}`);
      // The body that gave out the token has not handed off: it is under way, or lost, and then another takes its place.
      if (answer !== "STEP_UNDER_WAY") {
        this.told.push({ runId, by, report, sentAt, answeredAt: now(), answer });
        return;
      }
      await caller.sleep(500, dice);
    }
  }

  async #answerOf(call: () => Promise<void>): Promise<string> {
    try {
      await call();
      return "stored";
    } catch (error) {
      if (isEverstepError(error)) return error.code;
      throw error;
    }
  }
}
