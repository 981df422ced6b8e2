// What the code of a run hears from outside, and answers: signals, updates and queries, each by a handler that the code
// has given for its name.

import type { HistoryEvent, SignalReceived, UpdateAccepted, UpdateCompleted } from "../../sdk/protocol/event.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { SignalHandler, UpdateHandler } from "../../sdk/workflow/run-context.ts";
import type { AskedCommands } from "./asked-commands.ts";
import { updateEndedFromOutside } from "./foreign-wait.ts";
import { HandlersUnderWay } from "./handlers-under-way.ts";
import { Queries } from "./queries.ts";
import type { RunFacts } from "./run-info.ts";
import { SignalBox } from "./signal-box.ts";
import { type AskedUpdate, type EndedUpdate, Updates } from "./updates.ts";
import type { WorkflowCode } from "./workflow-code.ts";

export type HeardEvent = HistoryEvent & (SignalReceived | UpdateAccepted | UpdateCompleted);

export class Handlers {
  readonly signals = new SignalBox();
  /** Of signals and updates: those that have begun and not ended. */
  readonly underWay = new HandlersUnderWay();
  readonly #run: RunFacts;
  readonly #asked: AskedCommands;
  readonly #code: WorkflowCode;
  readonly #queries: Queries;
  readonly #updates: Updates;

  constructor(run: RunFacts, asked: AskedCommands, code: WorkflowCode) {
    this.#run = run;
    this.#asked = asked;
    this.#code = code;
    this.#queries = new Queries(run);
    this.#updates = new Updates(run.workflowId, this.underWay);
  }

  /** Something may come that the code has said it would hear. */
  get mayHear(): boolean {
    return this.signals.hasReceivers || this.#updates.hasHandlers;
  }

  handleSignal(name: string, handler: SignalHandler): void {
    this.signals.handle(name, (message) => {
      this.#code.inContext(() => {
        try {
          const { signalId } = message;
          const done = this.#code.around("Signal", { name, signalId }, () => handler.run(message));
          if (!(done instanceof Promise)) return;
          const leave = this.underWay.enter({ kind: "signal", name, id: message.signalId }, handler.onUnfinished);
          done.then(leave, (error) => {
            leave();
            this.#code.rejectedUnhandled(error);
          });
        } catch (error) {
          this.#code.fail(error);
        }
      });
    });
  }

  handleUpdate(name: string, handler: UpdateHandler): void {
    this.#updates.handle(name, handler);
  }

  /** Accepted, and not begun on until what is returned is called. */
  holdUpdate(mail: number): () => void {
    return this.#updates.hold(mail);
  }

  /** Where signals that nobody received and updates that are held are in the mailbox. */
  mailNotBegunOn(): number[] {
    return [...this.signals.unreadMail(), ...this.#updates.held];
  }

  handleQuery(name: string, handler: (input: Payload) => unknown): void {
    this.#queries.handle(name, handler);
  }

  apply(event: HeardEvent): boolean {
    switch (event.type) {
      case "SignalReceived":
        return this.#receive(event);
      case "UpdateAccepted":
        return this.#accept(event);
      case "UpdateCompleted": {
        const instead = this.#updates.compare(event);
        if (instead !== undefined) this.#asked.diverge(event, instead);
        return false;
      }
    }
  }

  /** Answers from the state as it is, or throws QUERY_UNKNOWN, QUERY_FAILED. */
  query(name: string, input: Payload): Payload {
    return this.#queries.answer(name, input, (handler) =>
      this.#code.lookingOnly(name, () => this.#code.around("Query", { name }, handler)),
    );
  }

  /** Whether the run, as it is now, takes an update. Null: it does. Leaves no trace in the run. */
  judgeUpdate(update: AskedUpdate): UpdateRefusal | null {
    if (this.#code.hasBegun && !this.#code.hasEnded) {
      return this.#updates.judge(update, (validate) => this.#code.lookingOnly(update.name, validate));
    }
    const message = `Run ${this.#run.workflowId} had ended before it came to update "${update.name}" (${update.updateId}), which had no effect.`;
    return { code: "RUN_CLOSED", message, failure: null };
  }

  /** Updates whose handlers have ended since the last look, for the history to tell. */
  takeEndedUpdates(): EndedUpdate[] {
    return this.#updates.takeUntold();
  }

  #receive(event: SignalReceived & HistoryEvent): boolean {
    const { workflowId } = this.#run;
    const value = decodePayload(event.payload, `payload of signal "${event.name}" to run ${workflowId}`);
    // Before the main function has begun there is no code to run: the signal waits in the box for its first line.
    if (!this.#code.hasBegun) {
      this.#code.passTime(event.at);
      this.signals.deliver(event, value, this.#code.turns);
      return false;
    }
    return this.#code.turn(event.at, () => this.signals.deliver(event, value, this.#code.turns));
  }

  #accept(event: UpdateAccepted & HistoryEvent): boolean {
    if (this.#code.hasEnded) this.#asked.diverge(event, "the code has ended by then");
    const { name, updateId } = event;
    const start = this.#updates.accept(event, {
      execute: (handler) => this.#code.around("Update", { name, updateId }, handler),
      ended: (update) => this.#ended(update),
    });
    if (start === undefined) this.#asked.diverge(event, "the code has no handler for it by then");
    return this.#code.turn(event.at, () => this.#code.inContext(start));
  }

  #ended(update: EndedUpdate): void {
    if (this.#code.broken !== undefined) return;
    if (this.#code.isInTurn) return this.#updates.noteEnded(update);
    if (!this.#code.hasEnded) this.#code.breakOff(updateEndedFromOutside(this.#run, update.name));
  }
}
