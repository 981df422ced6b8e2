// A program as a real workflow, written with the real language. Everything it sees goes into its trace: a replay that
// saw anything else, or in another order, has another trace. Step results are never the same twice.

import {
  type AnyWorkflow,
  condition,
  continueAsNew,
  createWebhook,
  defineQuery,
  defineSemaphore,
  defineSignal,
  defineStep,
  defineUpdate,
  isCanceled,
  nonCancellable,
  PermanentError,
  type StepContext,
  type StepOptions,
  sleep,
  startChild,
  step,
  TimeoutFailure,
  transaction,
  withLock,
  workflow,
  workflowInfo,
} from "everstep";
import { pause } from "../../runtime/world/pause.ts";
import type { Clock } from "../../runtime/world/world.ts";
import { deliveredAs } from "./delivered-as.ts";
import type { ChildSpec, Op, Program, StepSpec } from "./program.ts";

export interface SignalPayload {
  readonly id: string;
}

/** What a run has seen so far. */
export interface Trace {
  readonly length: number;
  readonly hash: number;
  /** Ids of the signals that its code was given, in order. */
  readonly signals: readonly string[];
}

/** The process that executes steps, as a step's body sees it. */
export interface StepWorld {
  readonly clock: Clock;
  /** Says that an attempt begins, by which version's code; answers what its result shall be, never the same twice. */
  begin(context: StepContext, version?: string | null): string;
  /** The body of this step gives its token out. */
  handOff(context: StepContext, step: string): void;
  /** Tells the address of a webhook. */
  announce(context: StepContext, token: string): void;
  /** Kills the process, if it has not been killed by this step often enough. */
  poison(context: StepContext, times: number): void;
}

/** For code that is replayed, or only looked at: nothing is executed. */
export const NO_WORLD: StepWorld = {
  clock: { now: refuse, monotonic: refuse, setTimer: refuse, afterDrain: refuse },
  begin: refuse,
  handOff: refuse,
  announce: refuse,
  poison: refuse,
};

function refuse(): never {
  throw new Error("a replay executes no step");
}

export const signals = {
  a: defineSignal<SignalPayload>("a"),
  b: defineSignal<SignalPayload>("b"),
  bump: defineSignal<SignalPayload>("bump"),
};

export interface PokeInput {
  readonly id: string;
  /** A validator rejects these whatever the state, and every third state whatever the input. */
  readonly isBad: boolean;
}

export const poke = defineUpdate<string, PokeInput>("poke");

export const traceQuery = defineQuery<Trace>("trace");

interface Input {
  readonly nonce: string;
  /** How often the run has continued as new. */
  readonly round?: number;
}

export interface CodeOptions {
  /** What a run returns says whose code has ended it. */
  readonly version?: string | null;
  readonly retentionMs?: number | null;
}

export function workflowOf(
  program: Program,
  world: StepWorld,
  { version = null, retentionMs = null }: CodeOptions = {},
): AnyWorkflow {
  const { retry, name } = program;
  const own: StepWorld = version === null ? world : { ...world, begin: (context) => world.begin(context, version) };
  const main = async (input: Input) => {
    const trace = await new Interpreter(program, own, input).run();
    return version === null ? trace : { ...trace, version };
  };
  return workflow(name, main, {
    ...(retry === null ? {} : { retry: { maxAttempts: retry.maxAttempts, initialInterval: retry.intervalMs } }),
    ...(version === null ? {} : { version }),
    ...(retentionMs === null ? {} : { retention: retentionMs }),
  });
}

class Interpreter {
  readonly #program: Program;
  readonly #world: StepWorld;
  readonly #input: Input;
  readonly #signals: string[] = [];
  #length = 0;
  #hash = 0;
  #bumps = 0;

  constructor(program: Program, world: StepWorld, input: Input) {
    this.#program = program;
    this.#world = world;
    this.#input = input;
  }

  async run(): Promise<Trace> {
    traceQuery.handle(() => this.#trace());
    signals.bump.handle((payload) => {
      this.#bumps++;
      this.#received(payload);
      return this.#program.onBump.length > 0 ? this.#all(this.#program.onBump) : undefined;
    });
    poke.handle((input) => this.#poked(input), {
      validate: ({ isBad }) => {
        if (isBad || this.#length % 3 === 2) throw new Error(`not now, at ${this.#length}`);
      },
    });
    await this.#all(this.#program.ops);
    return this.#trace();
  }

  async #poked({ id }: PokeInput): Promise<string> {
    const before = this.#hash;
    this.#note(`update ${id}`);
    await this.#all(this.#program.onPoke);
    return `${id} at ${before}`;
  }

  #trace(): Trace {
    return { length: this.#length, hash: this.#hash, signals: [...this.#signals] };
  }

  #note(what: string): void {
    this.#length++;
    let hash = this.#hash;
    for (let index = 0; index < what.length; index++) hash = (Math.imul(hash, 31) + what.charCodeAt(index)) | 0;
    this.#hash = hash;
  }

  #received({ id }: SignalPayload): void {
    this.#signals.push(id);
    this.#note(`signal ${id}`);
  }

  async #all(ops: readonly Op[]): Promise<void> {
    for (const op of ops) await this.#one(op);
  }

  async #one(op: Op): Promise<void> {
    switch (op.op) {
      case "step":
        return this.#note(await this.#step(op.step));
      case "transaction":
        return this.#note(await this.#transaction(op.step));
      case "handOff":
        return this.#note(await this.#handOff(op.step));
      case "webhook":
        return this.#receiveDeliveries(op.name, op.limits);
      case "sleep":
        await sleep(op.ms);
        return this.#note("slept");
      case "setTimeout":
        await new Promise((resolve) => setTimeout(resolve, op.ms));
        return this.#note("timed");
      case "receive": {
        const signal = signals[op.signal];
        const payload =
          op.timeoutMs === null ? await signal.receive() : await signal.receive({ timeout: op.timeoutMs });
        return payload === undefined ? this.#note("nothing received") : this.#received(payload);
      }
      case "condition": {
        const holds = () => this.#bumps >= op.least;
        const held = op.timeoutMs === null ? await condition(holds) : await condition(holds, { timeout: op.timeoutMs });
        return this.#note(`condition ${String(held)}`);
      }
      case "chance":
        return this.#note(`${Date.now()} ${Math.random()} ${crypto.randomUUID()}`);
      case "all":
        await Promise.all(op.branches.map((branch) => this.#all(branch)));
        return this.#note("all");
      case "allSettled": {
        const ends = await Promise.allSettled(op.branches.map((branch) => this.#all(branch)));
        return this.#note(ends.map(({ status }) => status).join());
      }
      case "any":
      case "race": {
        const branches = op.branches.map(async (branch, index) => {
          await this.#all(branch);
          return index;
        });
        return this.#note(`first ${op.op === "any" ? await Promise.any(branches) : await Promise.race(branches)}`);
      }
      case "loop":
        for (let round = 0; round < op.times; round++) await this.#all(op.body);
        return;
      case "tryCatch":
        try {
          return await this.#all(op.body);
        } catch (error) {
          this.#note(`caught ${nameOf(error)}`);
          return this.#all(op.after);
        }
      case "tryFinally":
        try {
          return await this.#all(op.body);
        } finally {
          await nonCancellable(() => this.#all(op.after));
        }
      case "lateAwait": {
        const later = this.#step(op.step);
        await sleep(op.ms);
        return this.#note(await later);
      }
      case "lock":
        return this.#locked(op);
      case "poison":
        return this.#note(await step("poison", (context) => this.#poison(context, op.times)));
      case "child":
        return this.#child(op.child);
      case "fail":
        if (workflowInfo().attempt <= op.attempts) throw new Error(`attempt ${workflowInfo().attempt} fails`);
        return;
      case "continue": {
        const { nonce, round = 0 } = this.#input;
        if (round < op.rounds) continueAsNew({ nonce, round: round + 1 });
      }
    }
  }

  /** How a child ends is part of what its parent sees; that it was canceled with it is not. */
  async #child({ program, id, isAwaited, onConflict, parentClosePolicy }: ChildSpec): Promise<void> {
    const definition = workflow(program, async (_input: Input): Promise<Trace> => Promise.reject(new Error("by name")));
    const child = startChild(definition, {
      input: { nonce: `${this.#input.nonce}/${this.#length}` },
      onConflict,
      parentClosePolicy,
      ...(id === null ? {} : { id }),
    });
    try {
      await child.started;
      this.#note(isAwaited ? `child ${JSON.stringify(await child.result)}` : "child started");
    } catch (error) {
      if (isCanceled(error)) throw error;
      this.#note(`child ${nameOf(error)}`);
    }
  }

  async #locked({ key, permits, capacity, timeoutMs, body }: Op & { readonly op: "lock" }): Promise<void> {
    const work = async (lock: { readonly fencingToken: number }) => {
      this.#note(`${key} by ${lock.fencingToken}`);
      await this.#all(body);
      // A fork has another one by now.
      this.#note(`${key} still by ${lock.fencingToken}`);
      return true;
    };
    const options = { timeout: timeoutMs };
    const holding =
      capacity === 1
        ? withLock(key, work, options)
        : defineSemaphore(key, { permits: capacity }).with(work, { ...options, permits });
    const isDone = await holding.catch((error: unknown) => {
      if (error instanceof TimeoutFailure && error.timeout === "lock") return false;
      throw error;
    });
    this.#note(`${key} ${isDone ? "let go" : "not had"}`);
  }

  #step(spec: StepSpec): Promise<string> {
    const options = optionsOf(spec);
    // Without a wait, the body is an ordinary function that answers at once.
    const body =
      spec.ms === 0 && spec.beats === 0
        ? (context: StepContext) => this.#instantly(spec, context)
        : (context: StepContext) => this.#slowly(spec, context);
    if (!spec.hasInput) return step(spec.name, body, options);
    const defined = defineStep(spec.name, (_input: { at: number }, context) => body(context), options);
    return defined({ at: this.#length });
  }

  #handOff(spec: StepSpec): Promise<string> {
    const body = async (context: StepContext) => {
      this.#world.begin(context);
      // The world may answer before the hand-off is committed, and a body that fails or is lost has given its token out.
      this.#world.handOff(context, spec.name);
      if (spec.ms > 0) await pause(this.#world.clock, spec.ms, spec.heedsAbort ? context.signal : undefined);
      failIfTold(spec, context);
      return context.completeLater<string>();
    };
    return step<string>(spec.name, body, optionsOf(spec));
  }

  async #receiveDeliveries(name: string, limits: readonly (number | null)[]): Promise<void> {
    const hook = await createWebhook(name);
    await step(`tell ${name}`, (context) => {
      this.#world.announce(context, hook.token);
      return this.#world.begin(context);
    });
    for (const limit of limits) {
      const delivery = limit === null ? await hook.receive() : await hook.receive({ timeout: limit });
      if (delivery === undefined) this.#note("nothing delivered");
      else this.#received({ id: deliveredAs(String(delivery.deliveryId), hook.token) });
    }
  }

  #transaction(spec: StepSpec): Promise<string> {
    return transaction(
      spec.name,
      async (tx, context) => {
        const result = this.#world.begin(context);
        await tx.query("insert", [context.idempotencyKey, result]);
        if (spec.ms > 0) await pause(this.#world.clock, spec.ms);
        failIfTold(spec, context);
        return result;
      },
      optionsOf(spec),
    );
  }

  #instantly(spec: StepSpec, context: StepContext): string {
    const result = this.#world.begin(context);
    failIfTold(spec, context);
    return result;
  }

  async #slowly(spec: StepSpec, context: StepContext): Promise<string> {
    const result = this.#world.begin(context);
    const abort = spec.heedsAbort ? context.signal : undefined;
    for (let beat = 0; beat < spec.beats; beat++) {
      context.heartbeat({ beat });
      await pause(this.#world.clock, spec.ms / spec.beats, abort);
      abort?.throwIfAborted();
    }
    if (spec.beats === 0) await pause(this.#world.clock, spec.ms, abort);
    abort?.throwIfAborted();
    failIfTold(spec, context);
    return result;
  }

  async #poison(context: StepContext, times: number): Promise<string> {
    const result = this.#world.begin(context);
    this.#world.poison(context, times);
    await pause(this.#world.clock, 1);
    return result;
  }
}

function failIfTold(spec: StepSpec, { attempt }: StepContext): void {
  if (spec.isFatal) throw new PermanentError(`${spec.name} cannot work`);
  if (attempt <= spec.failures) throw new Error(`${spec.name} failed in attempt ${attempt}`);
}

function optionsOf(spec: StepSpec): StepOptions {
  return {
    retry: {
      initialInterval: spec.intervalMs,
      maxInterval: spec.intervalMs * 4,
      ...(spec.maxAttempts === null ? {} : { maxAttempts: spec.maxAttempts }),
    },
    onCancel: spec.onCancel,
    ...(spec.timeoutMs === null ? {} : { timeout: spec.timeoutMs }),
    ...(spec.totalTimeoutMs === null ? {} : { totalTimeout: spec.totalTimeoutMs }),
    ...(spec.heartbeatTimeoutMs === null ? {} : { heartbeatTimeout: spec.heartbeatTimeoutMs }),
  };
}

function nameOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${error.message}` : String(error);
}
