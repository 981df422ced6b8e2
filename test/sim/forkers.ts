// Operators who fork runs: in their place or beside them, at any event, with what came later or without it, some with another
// result of the last step, some before a step that is to be made again. Each asks until he is answered, under one id.

import type { ForkCall, ForkedRun } from "../../sdk/client/front-door.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { isClosing } from "../../sdk/protocol/event.ts";
import type { Caller } from "./caller.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";
import type { Program } from "./program.ts";

export interface ForkersOptions {
  readonly caller: Caller;
  readonly dice: Dice;
  readonly probes: Probes;
  readonly eventsOf: (runId: string) => readonly HistoryEvent[];
  /** From here on the fork is a run like any other. */
  readonly forked: (fork: ForkedRun, program: Program) => void;
  readonly violation: (kind: string, what: string) => void;
}

export class Forkers {
  readonly #options: ForkersOptions;
  #forks = 0;

  constructor(options: ForkersOptions) {
    this.#options = options;
  }

  /** A run has been started, or is a fork itself. */
  consider(runId: string, program: Program): void {
    const { dice, caller } = this.#options;
    for (let forks = dice.int(0, this.#forks === 0 ? 3 : 1); forks > 0; forks--) {
      if (++this.#forks > MOST) return;
      const workflowId = `fork-${this.#forks}`;
      caller.task(async () => {
        await caller.sleep(6_000, dice);
        await this.#fork(runId, program, workflowId);
      });
    }
  }

  async #fork(runId: string, program: Program, workflowId: string): Promise<void> {
    const { caller, probes, violation, forked } = this.#options;
    const call = this.#draw(runId, workflowId);
    try {
      const fork = await caller.insist(() => caller.service.fork({ runId }, call));
      probes.hit(call.replaces ? "fork: in the place of the run" : "fork: beside the run");
      if (fork.runId === runId) violation("fork", `run ${runId} is its own fork`);
      forked(fork, program);
    } catch (error) {
      // There is no such step.
      const mayRefuse = isEverstepError(error, "ARGUMENT_INVALID") && call.beforeStep !== null;
      // Somebody else has put a fork into the place of the run.
      const isTaken = isEverstepError(error, "RUN_ALREADY_STARTED") && call.workflowId === null;
      if (!mayRefuse && !isTaken) throw error;
      probes.hit(`fork: ${error.code}`);
    }
  }

  #draw(runId: string, workflowId: string): ForkCall {
    const { dice, caller, eventsOf } = this.#options;
    const events = eventsOf(runId).filter((event) => !isClosing(event));
    const replaces = dice.hits(0.5);
    const isRetry = dice.hits(0.2);
    const at = isRetry ? null : dice.int(1, events.length);
    const last = at === null ? undefined : events[at - 1];
    const isEdited = (last?.type === "StepCompleted" || last?.type === "StepFailed") && dice.hits(0.3);
    return {
      at,
      beforeStep: isRetry ? { name: null } : null,
      workflowId: replaces ? null : workflowId,
      input: null,
      result: isEdited ? { payload: JSON.stringify(`another result for ${workflowId}`) } : null,
      keepsSignals: dice.hits(0.7),
      replaces,
      bulkId: caller.service.openBulk().bulkId,
    };
  }
}

/** Forks of forks end somewhere. */
const MOST = 8;
