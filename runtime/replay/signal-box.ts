// Signals inside a run: delivered in log order to a handler, else to whoever waits longest, else kept.

import type { SignalReceived, UnreadSignal } from "../../sdk/protocol/event.ts";
import { currentAmbient, rejectWithAmbient } from "../../sdk/workflow/ambient.ts";
import type { Cancellable, CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { SignalLimit, SignalMessage } from "../../sdk/workflow/run-context.ts";

type Receiver = (message: SignalMessage) => void;

interface Kept {
  readonly name: string;
  readonly mail: number;
  readonly turn: number;
  readonly message: SignalMessage;
}

export class SignalBox {
  readonly #handlers = new Map<string, Receiver>();
  readonly #waiting = new Map<string, Set<Receiver>>();
  // One list over all names keeps the order of arrival for what is reported as unread.
  #buffered: Kept[] = [];
  #isClosed = false;

  get hasReceivers(): boolean {
    return this.#handlers.size > 0 || this.#waiting.size > 0;
  }

  /** Names that something waits for, for people who ask why a run does not move. */
  get awaited(): string[] {
    return [...this.#waiting.keys()];
  }

  /** `turn`: the number of the turn that it is delivered in. */
  deliver(event: SignalReceived, value: unknown, turn: number): void {
    const message: SignalMessage = { signalId: event.signalId, value };
    if (this.#isClosed) return this.#keep(event, message, turn);
    const handler = this.#handlers.get(event.name);
    if (handler !== undefined) return handler(message);
    const receivers = this.#waiting.get(event.name);
    const first = receivers?.values().next().value;
    if (first === undefined) {
      return this.#keep(event, message, turn);
    }
    this.#stopWaiting(event.name, first);
    first(message);
  }

  take(name: string): SignalMessage | undefined {
    return this.takeFirst(new Set([name]))?.message;
  }

  /** The oldest that has one of these names, and came within the limit. */
  takeFirst(
    names: ReadonlySet<string>,
    { beforeMail = Number.POSITIVE_INFINITY, byTurn = Number.POSITIVE_INFINITY }: SignalLimit = {},
  ): { readonly name: string; readonly message: SignalMessage } | undefined {
    if (this.#isClosed) return undefined;
    const index = this.#buffered.findIndex(
      ({ name, mail, turn }) => names.has(name) && mail < beforeMail && turn <= byTurn,
    );
    return index < 0 ? undefined : this.#buffered.splice(index, 1)[0];
  }

  waitIn(scope: CancelScope, name: string): { readonly received: Promise<SignalMessage>; withdraw(): void } {
    let withdraw = () => {};
    const ambient = currentAmbient();
    const received = new Promise<SignalMessage>((resolve, reject) => {
      const receive: Receiver = (message) => {
        scope.leave(cancellable);
        resolve(message);
      };
      const cancellable: Cancellable = {
        cancel: (failure) => {
          this.#stopWaiting(name, receive);
          rejectWithAmbient(ambient, reject, failure);
        },
      };
      withdraw = () => {
        scope.leave(cancellable);
        this.#stopWaiting(name, receive);
      };
      scope.enter(cancellable);
      this.#waiting.set(name, (this.#waiting.get(name) ?? new Set()).add(receive));
    });
    return { received, withdraw };
  }

  handle(name: string, handler: Receiver): void {
    this.#handlers.set(name, handler);
    for (let kept = this.take(name); kept !== undefined; kept = this.take(name)) handler(kept);
  }

  unread(): UnreadSignal[] {
    return this.#buffered.map(({ name, message }) => ({ name, signalId: message.signalId }));
  }

  /** Where the signals that nobody received are in the mailbox. */
  unreadMail(): number[] {
    return this.#buffered.map(({ mail }) => mail);
  }

  /** From here on signals stay here: the run goes on as another, and what nobody has taken is for that one. */
  close(): void {
    this.#isClosed = true;
  }

  #keep({ name, mail }: SignalReceived, message: SignalMessage, turn: number): void {
    this.#buffered.push({ name, mail, turn, message });
  }

  #stopWaiting(name: string, receive: Receiver): void {
    const receivers = this.#waiting.get(name);
    if (receivers?.delete(receive) && receivers.size === 0) this.#waiting.delete(name);
  }
}
