// Children and mail to other runs, inside a run: what was asked for, what has become of it, and what a cancel request does
// to it. What is asked for is requested by an event, carried out elsewhere, and answered by another event.

import type {
  ChildEnded,
  ChildRequested,
  ChildStarted,
  ChildStartFailed,
  ExternalDelivered,
  ExternalFailed,
  ExternalRequested,
  HistoryEvent,
  RunForked,
} from "../../sdk/protocol/event.ts";
import { type CanceledFailure, fromChildEnded, fromFailure } from "../../sdk/protocol/failures.ts";
import { decodePayload } from "../../sdk/protocol/payload.ts";
import { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import { messageHash } from "../../sdk/workflow/external.ts";
import type { ChildAsk, PendingChild as ChildHandle, MessageAsk } from "../../sdk/workflow/run-context.ts";
import type { AnsweringEvent } from "./asked-commands.ts";
import type { Commands } from "./commands.ts";
import { PendingChild, PendingMessage } from "./pending.ts";
import type { WorkflowCode } from "./workflow-code.ts";

export type KinEvent = HistoryEvent &
  (
    | ChildRequested
    | ChildStarted
    | ChildStartFailed
    | ChildEnded
    | ExternalRequested
    | ExternalDelivered
    | ExternalFailed
  );

export class Kin {
  readonly #runId: string;
  readonly #commands: Commands;
  readonly #code: WorkflowCode;
  #hasChildren = false;
  /** By command, of children whose workflow ids were made of the run id of another run, which this one is a fork of. */
  readonly #sharedIds = new Map<number, string>();

  constructor(runId: string, commands: Commands, code: WorkflowCode) {
    this.#runId = runId;
    this.#commands = commands;
    this.#code = code;
  }

  /** A start of a child is in the history: the end of this run may matter to another one. */
  get hasChildren(): boolean {
    return this.#hasChildren;
  }

  /** A request of a history that is going to be delivered: the code of a fork is told the ids that its source was told. */
  foresee({ command, childWorkflowId: id }: ChildRequested): void {
    if (id !== `${this.#runId}-${command}` && id.endsWith(`-${command}`)) this.#sharedIds.set(command, id);
  }

  /** What was under way with other runs when this one was forked is to be asked for again. */
  fork({ source, origin = source, retried, isBeside }: RunForked): void {
    for (const pending of this.#commands.all()) {
      if (pending.kind === "SendMessage" && pending.isRequested) {
        pending.isRequested = false;
        pending.askedBy ??= origin;
      } else if (pending.kind === "StartChild" && pending.childRunId !== null) {
        pending.isShared = true;
        pending.isBeside = isBeside === true;
        if (pending.command === retried) pending.startAnew();
        else if (pending.isBeside && pending.isStarted) pending.isAdopted = true;
      }
    }
  }

  askChild(ask: ChildAsk, scope: CancelScope): ChildHandle {
    const command = this.#commands.asked.add("StartChild", ask.workflow);
    const defaultId = this.#sharedIds.get(command) ?? `${this.#runId}-${command}`;
    const pending = new PendingChild(command, defaultId, ask, scope, this.#onCancelChild);
    this.#commands.add(pending);
    return {
      workflowId: pending.workflowId,
      started: pending.started,
      ended: pending.promise,
      get endedInTurn() {
        return pending.endedInTurn;
      },
    };
  }

  askMessage(ask: MessageAsk, scope: CancelScope): Promise<void> {
    return this.#send(ask, scope).promise;
  }

  apply(event: KinEvent): boolean {
    switch (event.type) {
      case "ChildRequested": {
        const child = this.#commands.compared(event, "StartChild", event.inputHash) as PendingChild | undefined;
        this.#hasChildren = true;
        if (child === undefined) return false;
        child.childRunId = event.childRunId;
        child.isShared = false;
        return false;
      }
      case "ChildStarted":
        return this.#started(event);
      case "ChildStartFailed":
        return this.#settle(event, "StartChild", (child: PendingChild) =>
          this.#reject(child, fromFailure(event.failure)),
        );
      case "ChildEnded":
        return this.#ended(event);
      case "ExternalRequested": {
        const message = this.#commands.compared(event, "SendMessage", event.inputHash);
        if (message?.kind === "SendMessage") message.isRequested = true;
        return false;
      }
      case "ExternalDelivered":
        return this.#settle(event, "SendMessage", (message: PendingMessage) => message.resolve());
      case "ExternalFailed":
        return this.#settle(event, "SendMessage", (message: PendingMessage) =>
          message.reject(fromFailure(event.failure)),
        );
    }
  }

  #send(ask: MessageAsk, scope: CancelScope): PendingMessage {
    const command = this.#commands.asked.add("SendMessage", ask.name);
    const pending = new PendingMessage(command, ask, scope, this.#onCancelMessage);
    this.#commands.add(pending);
    return pending;
  }

  #started(event: ChildStarted & HistoryEvent): boolean {
    const child = this.#commands.compared(event, "StartChild") as PendingChild | undefined;
    if (child === undefined) return false;
    return this.#code.turn(event.at, () => {
      if (event.adopted !== undefined) child.adopt(event.adopted);
      child.resolveStarted();
      if (child.isAdopted && child.cancelRequested !== null) return this.#leave(child, child.cancelRequested);
      // It was told to stop before there was anybody to tell.
      if (child.cancelRequested !== null) this.#sendCancel(child, child.cancelRequested);
    });
  }

  #ended(event: ChildEnded & HistoryEvent): boolean {
    const { name, failure, result } = event;
    return this.#settle(event, "StartChild", (child: PendingChild) => {
      const { workflowId } = child;
      // It was passed on to this fork, and came to its end before the fork had asked again whether it was started.
      if (!child.isStarted) child.resolveStarted();
      if (failure !== null) return this.#reject(child, fromChildEnded({ workflow: name, workflowId }, failure));
      child.endedInTurn ??= this.#code.turns;
      child.resolve(decodePayload(result, `result of child run ${workflowId}`));
    });
  }

  /** The answer that is the last word about a command. */
  #settle<Pending extends PendingChild | PendingMessage>(
    event: AnsweringEvent,
    kind: Pending["kind"],
    wake: (pending: Pending) => void,
  ): boolean {
    const pending = this.#commands.answered(event, kind) as Pending | undefined;
    if (pending === undefined) return false;
    return this.#code.turn(event.at, () => wake(pending));
  }

  readonly #onCancelChild = (child: PendingChild, failure: CanceledFailure): void => {
    const { onCancel } = child.ask;
    // Nothing has left this run yet, or nothing is to be asked of the child: a run that was there before is not its own.
    if (child.childRunId === null || child.isAdopted || onCancel === "abandon") return this.#leave(child, failure);
    child.stop(failure);
    if (onCancel === "try") this.#reject(child, failure);
    if (child.isStarted) this.#sendCancel(child, failure);
  };

  #leave(child: PendingChild, failure: CanceledFailure): void {
    this.#commands.withdraw(child);
    this.#reject(child, failure);
  }

  /** What settled it first is what counts. */
  #reject(child: PendingChild, error: unknown): void {
    child.endedInTurn ??= this.#code.turns;
    child.reject(error);
  }

  #sendCancel(child: PendingChild, failure: CanceledFailure): void {
    const to = { chainOf: child.childRunId ?? "" };
    const ask: MessageAsk = {
      name: "cancel",
      to,
      kind: "cancel",
      subject: failure.message,
      payload: null,
      inputHash: messageHash(to, null),
    };
    // The scope is canceled already, and this is what is left to do in it.
    const sent = this.#send(ask, new CancelScope(null)).promise;
    const answered = () => {
      if (child.ask.onCancel === "request") this.#reject(child, failure);
    };
    sent.then(answered, answered);
  }

  readonly #onCancelMessage = (message: PendingMessage, failure: CanceledFailure): void => {
    if (!message.isRequested) this.#commands.withdraw(message);
    message.reject(failure);
  };
}
