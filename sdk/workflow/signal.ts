// Messages to a run: stored first, delivered once, in order, and kept until somebody receives them.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import {
  assertSchema,
  parseWith,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from "../protocol/standard-schema.ts";
import { requireRun } from "./ambient.ts";
import { type HandlerOptions, unfinishedPolicy } from "./handlers.ts";
import type { PendingTimer, RunContext, SignalMessage } from "./run-context.ts";

declare const PAYLOAD: unique symbol;

export interface ReceiveOptions {
  /** How long to wait at the most. 0 takes what is there. */
  readonly timeout: Duration;
}

/** A message with a typed payload. Sent with `run.signal(definition, payload)`. */
export interface SignalDefinition<Payload, Received = Payload> {
  readonly name: string;
  readonly [PAYLOAD]?: Payload;
  /** What payloads are checked by: before they are sent, and again when they are received. */
  readonly schema?: StandardSchema;

  /**
   * Waits for the next signal of this name and takes it. Signals that came before are waiting already, oldest first;
   * several receivers are served in the order they asked. With a timeout, resolves to undefined when time ran out.
   *
   * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws OUTSIDE_WORKFLOW, and ARGUMENT_INVALID
   * for a bad timeout.
   */
  receive(): Promise<Received>;
  receive(options: ReceiveOptions): Promise<Received | undefined>;

  /**
   * Calls `react` for each signal of this name, those that already wait at once and in order. An async handler may use
   * steps and timers; it runs beside the main function, in the run's own scope. An error it throws fails the run, unless
   * it was canceled. A later handler replaces an earlier one; while there is one, `receive` gets nothing. The run does not
   * wait for a handler before it closes: see `allHandlersFinished`.
   *
   * Throws ARGUMENT_INVALID, and OUTSIDE_WORKFLOW where no run is.
   */
  handle(react: (payload: Received) => void | Promise<void>, options?: HandlerOptions): void;
}

/**
 * Defines a signal by name. With a `schema` its payload is what the schema says: the client refuses to send another, and one
 * that was stored all the same is left out where it is received, with a warning in the log. The stored payload is what was
 * sent; the code gets what the schema makes of it.
 *
 * Throws ARGUMENT_INVALID for an unusable name or schema.
 */
export function defineSignal<Schema extends StandardSchema>(
  name: string,
  options: { readonly schema: Schema },
): SignalDefinition<SchemaInput<Schema>, SchemaOutput<Schema>>;
export function defineSignal<Payload = void>(name: string): SignalDefinition<Payload>;
export function defineSignal(
  name: string,
  { schema }: { readonly schema?: StandardSchema } = {},
): SignalDefinition<unknown> {
  assertName(name, "defineSignal(name)");
  assertSchema(schema, "defineSignal({ schema })");

  const read = (message: SignalMessage, run: RunContext) => readPayload({ name, schema }, message, run);

  async function receive(options?: ReceiveOptions): Promise<unknown> {
    const { run, scope } = requireRun(`signal "${name}".receive()`);
    run.refuseInReadOnly(`signal "${name}".receive()`);
    const timeoutMs = options === undefined ? null : toMs(options.timeout, `signal "${name}".receive({ timeout })`);
    if (scope.canceledBy !== undefined) throw scope.canceledBy;
    for (let kept = run.takeSignal(name); kept !== undefined; kept = run.takeSignal(name)) {
      const fitting = read(kept, run);
      if (fitting !== undefined) return fitting.payload;
    }
    if (timeoutMs === 0) return undefined;

    let waiting = run.waitForSignal(name, scope);
    let timer: PendingTimer | null = null;
    try {
      if (timeoutMs !== null) timer = run.askTimer({ name: `receive ${name}`, due: { afterMs: timeoutMs } }, scope);
      for (;;) {
        const message =
          timer === null
            ? await waiting.received
            : await Promise.race([waiting.received, timer.fired.then(() => undefined)]);
        if (message === undefined) return undefined;
        const fitting = read(message, run);
        if (fitting !== undefined) return fitting.payload;
        waiting = run.waitForSignal(name, scope);
      }
    } finally {
      waiting.withdraw();
      timer?.withdraw();
    }
  }

  return {
    name,
    ...(schema === undefined ? {} : { schema }),
    receive: receive as SignalDefinition<unknown>["receive"],
    handle(react, options) {
      if (typeof react !== "function") {
        const message = `signal "${name}".handle() takes a function; got ${typeof react}.`;
        throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "react" } });
      }
      const onUnfinished = unfinishedPolicy(options, `signal "${name}".handle()`);
      const { run } = requireRun(`signal "${name}".handle()`);
      run.handleSignal(name, {
        onUnfinished,
        run(message) {
          const fitting = read(message, run);
          return fitting === undefined ? undefined : react(fitting.payload);
        },
      });
    },
  };
}

/** As the code gets it. Undefined for one that does not fit: it is left out, with a warning. */
export function readPayload(
  { name, schema }: { readonly name: string; readonly schema?: StandardSchema | undefined },
  { signalId, value }: SignalMessage,
  run: RunContext,
): { readonly payload: unknown } | undefined {
  if (schema === undefined) return { payload: value };
  try {
    return { payload: parseWith(schema, value, `payload of signal "${name}"`) };
  } catch (error) {
    run.log.warn("a signal was left out", { signal: name, signalId, error: String(error) });
    return undefined;
  }
}
