// Date, Math.random, crypto and the timers: inside workflow code they give what the history gives.

import nodeCrypto from "node:crypto";
import nodeTimers from "node:timers";
import nodeTimersPromises from "node:timers/promises";
import { MAX_DURATION_MS } from "../../../sdk/protocol/duration.ts";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { currentAmbient } from "../../../sdk/workflow/ambient.ts";
import { CancelScope } from "../../../sdk/workflow/cancel-scope.ts";
import type { RunContext } from "../../../sdk/workflow/run-context.ts";

function currentRun(): { run: RunContext; scope: CancelScope } | undefined {
  const ambient = currentAmbient();
  return ambient?.kind === "workflow" ? ambient : undefined;
}

export function guardGlobals(): void {
  guardDate();
  guardChance();
  guardTimers();
}

function guardDate(): void {
  const RealDate = globalThis.Date;
  const realNow = RealDate.now;
  const now = () => currentRun()?.run.now() ?? realNow();
  const GuardedDate = new Proxy(RealDate, {
    construct(target, parts, newTarget) {
      const run = parts.length === 0 ? currentRun()?.run : undefined;
      return Reflect.construct(target, run === undefined ? parts : [run.now()], newTarget) as object;
    },
    apply(target, self, parts) {
      const run = currentRun()?.run;
      return run === undefined ? Reflect.apply(target, self, parts) : new target(run.now()).toString();
    },
    get(target, key, receiver) {
      return key === "now" ? now : Reflect.get(target, key, receiver);
    },
  });
  // Otherwise `date.constructor === Date` would no longer hold.
  Object.defineProperty(RealDate.prototype, "constructor", { value: GuardedDate, writable: true, configurable: true });
  globalThis.Date = GuardedDate;

  const realMonotonic = performance.now.bind(performance);
  performance.now = () => {
    const run = currentRun()?.run;
    return run === undefined ? realMonotonic() : run.now() - run.info.startedAt.getTime();
  };
}

function guardChance(): void {
  const realRandom = Math.random;
  Math.random = () => currentRun()?.run.random() ?? realRandom();

  const { webcrypto } = nodeCrypto;
  const randomUUID = webcrypto.randomUUID.bind(webcrypto);
  const getRandomValues = webcrypto.getRandomValues.bind(webcrypto);
  webcrypto.randomUUID = () => (currentRun()?.run.randomUUID() as nodeCrypto.UUID | undefined) ?? randomUUID();
  webcrypto.getRandomValues = (array) => {
    const run = currentRun()?.run;
    if (run === undefined) return getRandomValues(array);
    const { buffer, byteOffset, byteLength } = array as unknown as Uint8Array;
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(run.random() * 256);
    return array;
  };

  const realNodeUuid = nodeCrypto.randomUUID;
  nodeCrypto.randomUUID = (options) =>
    (currentRun()?.run.randomUUID() as nodeCrypto.UUID | undefined) ?? realNodeUuid(options);
  refuse(
    nodeCrypto,
    ["randomBytes", "randomInt", "randomFill", "randomFillSync"],
    "node:crypto",
    "crypto.randomUUID() or Math.random()",
  );
}

/** What `setTimeout` gives in workflow code; `clearTimeout` takes it back. */
class DurableTimeout {
  readonly withdraw: () => void;

  constructor(withdraw: () => void) {
    this.withdraw = withdraw;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

function guardTimers(): void {
  const realSetTimeout = globalThis.setTimeout;
  const realClearTimeout = globalThis.clearTimeout;
  const guardedSetTimeout = (call: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) => {
    const current = currentRun();
    if (current === undefined) return realSetTimeout(call, ms, ...values);
    const { run } = current;
    // As long as a sleep may be: an endless one could not be kept.
    const due = { afterMs: Math.min(MAX_DURATION_MS, Math.max(1, Math.ceil(ms ?? 1) || 1)) };
    // Out of a cancel's reach: a callback cannot be told of one, and who waits for it would wait for ever.
    const timer = run.askTimer({ name: "setTimeout", due }, new CancelScope(null));
    timer.fired.then(() => call(...values));
    return new DurableTimeout(timer.withdraw);
  };
  // Keeps `util.promisify(setTimeout)` working outside workflows.
  globalThis.setTimeout = Object.assign(guardedSetTimeout, realSetTimeout) as unknown as typeof setTimeout;
  const guardedClearTimeout = (timeout: unknown) => {
    if (timeout instanceof DurableTimeout) timeout.withdraw();
    else realClearTimeout(timeout as NodeJS.Timeout);
  };
  globalThis.clearTimeout = guardedClearTimeout as typeof clearTimeout;
  nodeTimers.setTimeout = globalThis.setTimeout;
  nodeTimers.clearTimeout = globalThis.clearTimeout;

  // As a promise's reaction, what it throws keeps the context it was asked in, and so its run.
  const realQueueMicrotask = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (call) => {
    if (currentAmbient() === undefined) realQueueMicrotask(call);
    else void Promise.resolve().then(call);
  };

  refuse(globalThis, ["setInterval", "setImmediate"], "the global scope", "a loop with sleep()");
  refuse(nodeTimers, ["setInterval", "setImmediate"], "node:timers", "a loop with sleep()");
  refuse(nodeTimersPromises, ["setTimeout", "setInterval", "setImmediate"], "node:timers/promises", "sleep()");
}

/** Replaces functions by ones that throw in workflow code, saying what to use instead. */
function refuse(owner: object, names: readonly string[], ownerName: string, instead: string): void {
  const functions = owner as Record<string, unknown>;
  for (const name of names) {
    const real = functions[name];
    if (typeof real !== "function") continue;
    const guarded = function (this: unknown, ...values: unknown[]): unknown {
      const run = currentRun()?.run;
      if (run === undefined) return Reflect.apply(real, this, values);
      const message = `Workflow code of run ${run.info.workflowId} called ${name} of ${ownerName}, which would differ at replay. Use ${instead}.`;
      throw new EverstepError("IO_IN_WORKFLOW", message, { details: { runId: run.info.runId, call: name } });
    };
    functions[name] = Object.assign(guarded, real);
  }
}
