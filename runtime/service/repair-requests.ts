// Requests to retry steps now, or to skip sleeps: does the run, by its history, wait for any of them? Only then is there mail,
// with the waits that are meant, so that nobody fills a history with what has no effect. Whether they still wait when the run
// comes to it is decided there.

import type { RepairCall, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { RepairRequest } from "../../sdk/protocol/event.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import { isLimit } from "../../sdk/protocol/pending-work.ts";
import type { MailRequest } from "../store/mail.ts";
import { encodeWaits, repairMailId } from "../store/repair-request.ts";
import type { RunDetail } from "../store/runs.ts";
import type { ClientStore, WorkerStore } from "../store/store.ts";
import { readEvents, takenMailIn } from "./history-export.ts";
import { type Insistence, insist } from "./insist.ts";
import { type FoundWait, waitsIn } from "./waits.ts";

export interface RepairRequestsOptions {
  readonly store: Pick<ClientStore & WorkerStore, "readHistory" | "readMail">;
  readonly insistence: Insistence;
  /** Throws RUN_NOT_FOUND. */
  readonly find: (to: RunReference) => Promise<RunDetail>;
  /** Throws RUN_CLOSED. */
  readonly send: (request: MailRequest) => Promise<unknown>;
}

const MAIL_PER_PAGE = 500;

export class RepairRequests {
  readonly #options: RepairRequestsOptions;

  constructor(options: RepairRequestsOptions) {
    this.#options = options;
  }

  /** Resolves when the request is stored, or was before. */
  async ask(to: RunReference, request: RepairRequest, call: RepairCall): Promise<void> {
    const mail = await this.#mailFor(to, request, call);
    if (mail !== null) await this.#options.send(mail);
  }

  /** Rejects as `ask` would by now. */
  async foresee(to: RunReference, request: RepairRequest, call: RepairCall): Promise<void> {
    await this.#mailFor(to, request, call);
  }

  /** Null: it is stored already. */
  async #mailFor(
    to: RunReference,
    request: RepairRequest,
    { which, requestId, ...by }: RepairCall,
  ): Promise<MailRequest | null> {
    const { insistence, store, find } = this.#options;
    assertWhich(which, request);
    if (requestId !== null) assertWorkflowId(requestId, "requestId");
    // Chosen before the first try: a repeated send is recognised by it.
    const mailId = repairMailId(request, requestId ?? insistence.world.chance.uuid());
    const run = await find(to);
    const events = await insist(insistence, () => readEvents(store, run.runId));
    const found = waitsIn(events);
    if (requestId !== null && found.requestIds[request].has(requestId)) return null;
    if (run.closedAt !== null) throw closed(run);
    const waits = found[request].filter((wait) => wait.dueAt > run.now && isMeant(wait, request, which));
    if (waits.length === 0) {
      if (requestId !== null && (await this.#isOnItsWay(run, mailId, takenMailIn(events)))) return null;
      throw notWaiting(run, request, which);
    }
    const name = typeof which === "string" ? which : "";
    return { to: { runId: run.runId }, kind: request, mailId, name, payload: encodeWaits(waits, by) };
  }

  /** It is in the mailbox, and what it was for has become due by itself meanwhile. */
  async #isOnItsWay({ runId }: RunDetail, mailId: string, taken: number): Promise<boolean> {
    const { insistence, store } = this.#options;
    for (let after = taken; ; ) {
      const page = await insist(insistence, () => store.readMail([{ runId, after }], MAIL_PER_PAGE));
      if (page.some((item) => item.mailId === mailId)) return true;
      if (page.length < MAIL_PER_PAGE) return false;
      after = page.at(-1)?.mail ?? after;
    }
  }
}

/** Limits of other waits are no sleeps: they are meant by their number alone. */
function isMeant({ command, name }: FoundWait, request: RepairRequest, which: RepairCall["which"]): boolean {
  if (typeof which === "number") return command === which;
  if (request === "skipSleep" && isLimit(name)) return false;
  return which === null || name === which;
}

const WORDS = { retryNow: "step", skipSleep: "timer" } as const;

function assertWhich(which: RepairCall["which"], request: RepairRequest): void {
  if (which === null) return;
  const argument = WORDS[request];
  if (typeof which === "string") {
    assertName(which, `${argument} name`);
    if (request === "retryNow" || !isLimit(which)) return;
    const message = `"${which}" is no sleep but the limit of another wait. To let that time out now, give the timer's number, as describe() shows it.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument, which } });
  }
  if (Number.isInteger(which) && which > 0) return;
  const message = `${request}(${argument}) takes a name, or a number from 1 as describe() shows it; got ${String(which)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument, which } });
}

function notWaiting(
  { workflowId, runId }: RunDetail,
  request: RepairRequest,
  which: RepairCall["which"],
): EverstepError {
  const named = which === null ? "" : typeof which === "number" ? ` ${which}` : ` "${which}"`;
  const details = { runId, which };
  if (request === "retryNow") {
    const message = `No step${named} of run ${workflowId} waits for its next attempt: it has ended, is under way or due at once, or has not failed. Look at the run with describe().`;
    return new EverstepError("STEP_NOT_WAITING", message, { details });
  }
  const message = `No timer${named} of run ${workflowId} waits for its time: it has fired, is due at once, or was never started. Look at the run with describe().`;
  return new EverstepError("TIMER_NOT_WAITING", message, { details });
}

function closed({ workflowId, runId }: RunDetail): EverstepError {
  const message = `Run ${workflowId} is closed. It waits for nothing any more.`;
  return new EverstepError("RUN_CLOSED", message, { details: { run: workflowId, runId } });
}
