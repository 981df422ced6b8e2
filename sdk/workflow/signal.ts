// Messages to a run: stored first, delivered once, in order, and kept until somebody receives them.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { requireRun } from "./ambient.ts";
import { type HandlerOptions, unfinishedPolicy } from "./handlers.ts";
import type { SignalMessage } from "./run-context.ts";

declare const PAYLOAD: unique symbol;

export interface ReceiveOptions {
  /** How long to wait at the most. 0 takes what is there. */
  readonly timeout: Duration;
}

/** A message with a typed payload. Sent with `run.signal(definition, payload)`. */
export interface SignalDefinition<Payload> {
  readonly name: string;
  readonly [PAYLOAD]?: Payload;

  /**
   * Waits for the next signal of this name and takes it. Signals that came before are waiting already, oldest first;
   * several receivers are served in the order they asked. With a timeout, resolves to undefined when time ran out.
   *
   * Rejects with `CanceledFailure` when the run is canceled. Throws OUTSIDE_WORKFLOW, and ARGUMENT_INVALID for a bad
   * timeout.
   */
  receive(): Promise<Payload>;
  receive(options: ReceiveOptions): Promise<Payload | undefined>;

  /**
   * Calls `react` for each signal of this name, those that already wait at once and in order. An async handler may use
   * steps and timers; it runs beside the main function. An error it throws fails the run. A later handler replaces an
   * earlier one; while there is one, `receive` gets nothing. The run does not wait for a handler before it closes: see
   * `allHandlersFinished`.
   *
   * Throws ARGUMENT_INVALID, and OUTSIDE_WORKFLOW where no run is.
   */
  handle(react: (payload: Payload) => void | Promise<void>, options?: HandlerOptions): void;
}

/**
 * Defines a signal by name.
 *
 * Throws ARGUMENT_INVALID for an unusable name.
 */
export function defineSignal<Payload = void>(name: string): SignalDefinition<Payload> {
  assertName(name, "defineSignal(name)");
  const read = (message: SignalMessage) => message.value as Payload;

  async function receive(options?: ReceiveOptions): Promise<Payload | undefined> {
    const { run, scope } = requireRun(`signal "${name}".receive()`);
    run.refuseInReadOnly(`signal "${name}".receive()`);
    const timeoutMs = options === undefined ? null : toMs(options.timeout, `signal "${name}".receive({ timeout })`);
    if (scope.canceledBy !== undefined) throw scope.canceledBy;
    const buffered = run.takeSignal(name);
    if (buffered !== undefined) return read(buffered);
    if (timeoutMs === 0) return undefined;

    const waiting = run.waitForSignal(name, scope);
    if (timeoutMs === null) return read(await waiting.received);
    const timer = run.askTimer({ name: `receive ${name}`, due: { afterMs: timeoutMs } }, scope);
    try {
      const message = await Promise.race([waiting.received, timer.fired.then(() => undefined)]);
      return message === undefined ? undefined : read(message);
    } finally {
      waiting.withdraw();
      timer.withdraw();
    }
  }

  return {
    name,
    receive: receive as SignalDefinition<Payload>["receive"],
    handle(react, options) {
      if (typeof react !== "function") {
        const message = `signal "${name}".handle() takes a function; got ${typeof react}.`;
        throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "react" } });
      }
      const onUnfinished = unfinishedPolicy(options, `signal "${name}".handle()`);
      const { run } = requireRun(`signal "${name}".handle()`);
      run.handleSignal(name, { run: (message) => react(read(message)), onUnfinished });
    },
  };
}
