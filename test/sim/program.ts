// Workflows nobody would write by hand: small random programs over everything the language has. A program is plain data,
// drawn from the seed; workflow-of.ts turns it into a real workflow.

import type { Dice } from "./dice.ts";

export interface StepSpec {
  readonly name: string;
  readonly ms: number;
  /** This many attempts fail before one succeeds. */
  readonly failures: number;
  /** Fails with an error that is not tried again. */
  readonly isFatal: boolean;
  readonly maxAttempts: number | null;
  readonly intervalMs: number;
  readonly timeoutMs: number | null;
  readonly totalTimeoutMs: number | null;
  readonly heartbeatTimeoutMs: number | null;
  readonly beats: number;
  /** Asked for with an input, as a defined step. */
  readonly hasInput: boolean;
  readonly onCancel: "wait" | "abandon";
  /** Ends as soon as its signal aborts. */
  readonly heedsAbort: boolean;
}

export type Op =
  | { readonly op: "step"; readonly step: StepSpec }
  | { readonly op: "transaction"; readonly step: StepSpec }
  /** A step that hands off, and is completed from outside. */
  | { readonly op: "handOff"; readonly step: StepSpec }
  /** An address that is told to the world; then deliveries to it are received, each within its time. */
  | { readonly op: "webhook"; readonly name: string; readonly limits: readonly (number | null)[] }
  | { readonly op: "sleep" | "setTimeout"; readonly ms: number }
  | { readonly op: "receive"; readonly signal: "a" | "b"; readonly timeoutMs: number | null }
  | { readonly op: "condition"; readonly least: number; readonly timeoutMs: number | null }
  | { readonly op: "chance" }
  | { readonly op: "all" | "allSettled" | "any" | "race"; readonly branches: readonly (readonly Op[])[] }
  | { readonly op: "loop"; readonly times: number; readonly body: readonly Op[] }
  | { readonly op: "tryCatch" | "tryFinally"; readonly body: readonly Op[]; readonly after: readonly Op[] }
  /** Asked for now, awaited later: a failure in between is one that nobody handles. */
  | { readonly op: "lateAwait"; readonly step: StepSpec; readonly ms: number }
  | {
      readonly op: "lock";
      readonly key: string;
      readonly permits: number;
      readonly capacity: number;
      readonly timeoutMs: number;
      readonly body: readonly Op[];
    }
  /** A step that kills its worker, this many times. */
  | { readonly op: "poison"; readonly times: number }
  | { readonly op: "child"; readonly child: ChildSpec }
  /** Fails in the first attempts of the run. */
  | { readonly op: "fail"; readonly attempts: number }
  /** Continues as new in the first rounds. */
  | { readonly op: "continue"; readonly rounds: number };

export interface ChildSpec {
  readonly program: string;
  /** Null: one of its own. */
  readonly id: string | null;
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
  readonly parentClosePolicy: "terminate" | "cancel" | "abandon";
  readonly isAwaited: boolean;
}

export interface Program {
  readonly name: string;
  readonly ops: readonly Op[];
  /** What the handler of signal `bump` does besides counting. */
  readonly onBump: readonly Op[];
  /** What the handler of update `poke` does besides answering. */
  readonly onPoke: readonly Op[];
  /** Kills its worker each time it is tried: has to end quarantined. */
  readonly isPoison: boolean;
  /** Has children, or is one; its runs are chains. Nobody sends signals to it. */
  readonly isFamily: boolean;
  /** How often its runs are tried, and the first pause between; null: once. */
  readonly retry: { readonly maxAttempts: number; readonly intervalMs: number } | null;
}

export function drawPrograms(dice: Dice, { isCalm }: { readonly isCalm: boolean }): Program[] {
  const names = new Names("s");
  const pokes = dice.split("pokes");
  const locks = dice.split("locks");
  const poker = new Writer({ dice: pokes, names: new Names("p"), isCalm: true, mayBeat: false });
  const count = dice.int(1, 3);
  return Array.from({ length: count }, (_, index) => {
    const isPoison = !isCalm && dice.hits(0.03);
    const writer = new Writer({ dice, names, isCalm, mayBeat: !isPoison });
    const ops = writer.ops(dice.int(1, 5), 0);
    if (isPoison) ops.push({ op: "poison", times: Number.POSITIVE_INFINITY });
    return {
      name: `w${index}`,
      ops: locks.hits(0.5) ? underLocks(locks, ops) : ops,
      onBump: dice.hits(0.3) ? [writer.step()] : [],
      onPoke: pokes.hits(0.4) ? poker.ops(1, 1) : [],
      isPoison,
      isFamily: false,
      retry: null,
    };
  });
}

/** Some of them are done under a lock, or a part of a semaphore, that other runs of the seed want as well. */
function underLocks(dice: Dice, ops: readonly Op[]): Op[] {
  return ops.map((op) => {
    if (!dice.hits(0.6)) return op;
    const capacity = dice.pick([1, 1, 2]);
    const key = capacity === 1 ? dice.pick(["k1", "k2"]) : "s";
    return { op: "lock", key, permits: dice.int(1, capacity), capacity, timeoutMs: dice.int(1, 2_000), body: [op] };
  });
}

/** A program in which every third step or wait is one of a part of the language. */
export function drawWith(part: "deferred" | "webhooks", dice: Dice, { isCalm }: { readonly isCalm: boolean }): Program {
  const names = new Names(part === "deferred" ? "d" : "h");
  const writer = new Writer({ dice, names, isCalm, mayBeat: true, often: part === "deferred" ? "handOff" : "webhook" });
  const ops = [writer.often(), ...writer.ops(dice.int(1, 4), 0)];
  return { name: part, ops, onBump: [], onPoke: [], isPoison: false, isFamily: false, retry: null };
}

/** Parents, and the children that they ask for. */
export function drawFamilies(dice: Dice, { isCalm }: { readonly isCalm: boolean }): Program[] {
  const writer = new Writer({ dice, names: new Names("f"), isCalm: true, mayBeat: false });
  const brief = (most: number): Op[] =>
    Array.from({ length: dice.int(1, most) }, () =>
      dice.hits(0.6) ? writer.step() : { op: "sleep", ms: dice.int(1, 1_500) },
    );
  const retry = () => (dice.hits(0.5) ? { maxAttempts: dice.int(2, 3), intervalMs: dice.int(1, 2_000) } : null);
  const ends = (): Op[] => {
    const failing: Op[] = dice.hits(0.4) ? [{ op: "fail", attempts: dice.int(1, 3) }] : [];
    return dice.hits(0.4) ? [...failing, { op: "continue", rounds: dice.int(1, 2) }] : failing;
  };
  const family = (name: string, ops: Op[]): Program => {
    return { name, ops, onBump: [], onPoke: [], isPoison: false, isFamily: true, retry: isCalm ? null : retry() };
  };
  const children = ["c0", "c1"].map((name) => {
    // One that only its parent's end, or a cancel, brings to an end within the time of the simulation.
    const forever: Op[] = dice.hits(0.15) ? [{ op: "sleep", ms: 3_600_000 }] : [];
    return { forever, program: family(name, [...brief(3), ...forever, ...ends()]) };
  });
  const child = (): Op => {
    const { forever, program } = dice.pick([children[0], children[1]] as [(typeof children)[0], (typeof children)[0]]);
    const isEndless = forever.length > 0;
    const spec: ChildSpec = {
      program: program.name,
      id: !isEndless && dice.hits(0.4) ? `shared-${dice.int(1, 2)}` : null,
      onConflict: dice.pick(["fail", "useExisting", "terminateExisting"] as const),
      parentClosePolicy: isEndless
        ? dice.pick(["terminate", "cancel"] as const)
        : dice.pick(["terminate", "cancel", "abandon"] as const),
      isAwaited: !isEndless && dice.hits(0.7),
    };
    return { op: "child", child: spec };
  };
  const parents = ["f0", "f1"].map((name) => {
    const body: Op[] = Array.from({ length: dice.int(1, 3) }, child);
    const asked: Op[] = dice.hits(0.4) ? [{ op: "all", branches: body.map((op) => [op]) }] : body;
    return family(name, [...brief(2), ...asked, ...brief(2), ...ends()]);
  });
  return [...children.map(({ program }) => program), ...parents];
}

class Names {
  readonly #prefix: string;
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  next(): string {
    this.#count++;
    return `${this.#prefix}${this.#count}`;
  }
}

interface WriterOptions {
  readonly dice: Dice;
  readonly names: Names;
  readonly isCalm: boolean;
  readonly mayBeat: boolean;
  /** What a third of it is. */
  readonly often?: "handOff" | "webhook";
}

class Writer {
  readonly #dice: Dice;
  readonly #names: Names;
  readonly #isCalm: boolean;
  readonly #mayBeat: boolean;
  readonly #often: WriterOptions["often"];

  constructor({ dice, names, isCalm, mayBeat, often }: WriterOptions) {
    this.#dice = dice;
    this.#names = names;
    this.#isCalm = isCalm;
    this.#mayBeat = mayBeat;
    this.#often = often;
  }

  ops(count: number, depth: number): Op[] {
    return Array.from({ length: count }, () => this.#op(depth));
  }

  step(): Op {
    return { op: "step", step: this.#step() };
  }

  often(): Op {
    const dice = this.#dice;
    if (this.#often === "handOff") return { op: "handOff", step: this.#handOff() };
    const limits = Array.from({ length: dice.int(1, 3) }, () => this.#limit());
    return { op: "webhook", name: this.#names.next(), limits };
  }

  #op(depth: number): Op {
    const dice = this.#dice;
    if (this.#often !== undefined && dice.hits(0.33)) return this.often();
    const roll = dice.int(0, depth < 2 ? 99 : 64);
    if (roll < 27) return this.step();
    if (roll < 33) return { op: "transaction", step: { ...this.#step(), timeoutMs: null, heartbeatTimeoutMs: null } };
    if (roll < 40) return { op: "sleep", ms: this.#ms(1_200) };
    if (roll < 42) return { op: "setTimeout", ms: this.#ms(600) };
    if (roll < 51) return { op: "receive", signal: dice.pick(["a", "b"]), timeoutMs: this.#limit() };
    if (roll < 56) return { op: "condition", least: dice.int(1, 2), timeoutMs: this.#limit() };
    if (roll < 60) return { op: "chance" };
    if (roll < 63) return { op: "lateAwait", step: this.#step(), ms: this.#ms(400) };
    if (roll < 65) return this.#isCalm ? this.step() : { op: "poison", times: dice.int(1, 2) };
    if (roll < 85) {
      const op = dice.pick(["all", "allSettled", "any", "race", "race"] as const);
      return { op, branches: Array.from({ length: dice.int(2, 3) }, () => this.ops(dice.int(1, 2), depth + 1)) };
    }
    if (roll < 90) return { op: "loop", times: dice.int(1, 3), body: this.ops(dice.int(1, 2), depth + 1) };
    const op = dice.pick(["tryCatch", "tryFinally"] as const);
    return { op, body: this.ops(dice.int(1, 2), depth + 1), after: this.ops(1, depth + 1) };
  }

  #ms(most: number): number {
    return this.#dice.hits(0.2) ? this.#dice.int(0, 3) : this.#dice.int(1, most);
  }

  #limit(): number | null {
    return this.#dice.hits(0.6) ? this.#dice.int(0, 1_500) : null;
  }

  /** Its limits are those of people: some let them pass. */
  #handOff(): StepSpec {
    const dice = this.#dice;
    const timeoutMs = dice.hits(0.3) ? dice.int(300, 4_000) : null;
    const heartbeatTimeoutMs = dice.hits(0.15) ? dice.int(300, 3_000) : null;
    const isBounded = timeoutMs !== null || heartbeatTimeoutMs !== null || dice.hits(0.4);
    const maxAttempts = isBounded ? dice.int(1, 3) : null;
    const totalTimeoutMs = dice.hits(0.15) ? dice.int(300, 5_000) : null;
    const own = { isFatal: false, beats: 0, timeoutMs, heartbeatTimeoutMs, totalTimeoutMs, maxAttempts };
    return { ...this.#step(), ...own, failures: dice.hits(0.15) ? 1 : 0 };
  }

  #step(): StepSpec {
    const dice = this.#dice;
    const ms = dice.hits(0.3) ? 0 : this.#ms(dice.hits(0.1) ? 2_500 : 250);
    const failures = dice.hits(0.25) ? dice.int(1, 3) : 0;
    const timeoutMs = dice.hits(0.15) ? dice.int(1, 400) : null;
    // A heartbeat counts as progress: a run that kills its workers and beats is never set aside.
    const beats = this.#mayBeat && dice.hits(0.2) ? dice.int(1, 4) : 0;
    const heartbeatTimeoutMs = beats > 0 && dice.hits(0.5) ? dice.int(20, 300) : null;
    // What may time out each time must not be tried for ever.
    const isBounded = timeoutMs !== null || heartbeatTimeoutMs !== null || dice.hits(0.3);
    return {
      name: this.#names.next(),
      ms,
      failures,
      isFatal: dice.hits(0.06),
      maxAttempts: isBounded ? dice.int(1, 4) : null,
      intervalMs: dice.pick([1, 20, 200]),
      timeoutMs,
      totalTimeoutMs: dice.hits(0.1) ? dice.int(10, 1_000) : null,
      heartbeatTimeoutMs,
      beats,
      hasInput: dice.hits(0.25),
      onCancel: dice.hits(0.3) ? "abandon" : "wait",
      heedsAbort: dice.hits(0.5),
    };
  }
}
