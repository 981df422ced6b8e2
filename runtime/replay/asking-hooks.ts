// Interceptors around what the code of runs asks for. They are called at once, in the place of the call, and what `next` gives
// them is a token that stands for what the code gets: no promise of the code passes through their hands. So they can neither
// delay one nor take it as handled, and code runs as it would without them, event by event and within each.

import type { AskAnswer, WorkflowAsk } from "../../sdk/workflow/asked.ts";
import type { WorkflowInterceptor } from "../../sdk/workflow/interceptors.ts";
import { notGiven, OnlyOnce } from "./refused-hooks.ts";

/** The hooks within `ask`, for what can be asked for otherwise. */
export type OwnHook = "askStep" | "askChild" | "askContinueAsNew";

/** What is asked for, as hooks are shown it, and how it is asked for otherwise. */
export interface Asking<Ask, Changes> {
  readonly ask: Ask;
  show(ask: Ask): WorkflowAsk;
  readonly own?: OwnHook;
  change?(ask: Ask, changes: Changes): Ask;
}

type Hook<Changes> = (asked: WorkflowAsk, next: (changes?: Changes) => unknown) => unknown;
type Part = WorkflowInterceptor & Partial<Record<OwnHook, unknown>>;

export class AskingHooks {
  readonly #parts: readonly Part[];
  #areCalled = false;

  private constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** Undefined when there is nothing to call. */
  static of(parts: readonly (WorkflowInterceptor | undefined)[]): AskingHooks | undefined {
    const asking = parts.filter((part) => part !== undefined).filter((part) => NAMES.some((name) => part[name]));
    return asking.length === 0 ? undefined : new AskingHooks(asking);
  }

  /** Answers what `body` does, which is called with what is asked for after all hooks. */
  around<Ask, Changes, Given>(asking: Asking<Ask, Changes>, body: (ask: Ask) => Given): Given {
    const { ask, show, own, change } = asking;
    // Asked for by a hook: else one that asks would be called for what it asks.
    if (this.#areCalled) return body(ask);
    const hooks = this.#namesOf(own);
    const once = new OnlyOnce(hooks);
    let given: Given | undefined;
    const token = Object.freeze({});
    const last = (asked: Ask): object => {
      once.use();
      given = body(asked);
      return token;
    };
    const first = this.#parts.reduceRight<(asked: Ask) => unknown>((next, part) => {
      const within = (asked: Ask) => {
        const hook = own && (part[own] as Hook<Changes> | undefined);
        if (hook === undefined) return next(asked);
        return hook.call(part, show(asked), (changes) => next(changes && change ? change(asked, changes) : asked));
      };
      return (asked) => (part.ask === undefined ? within(asked) : part.ask<unknown>(show(asked), () => within(asked)));
    }, last);
    let returned: unknown;
    try {
      returned = this.#calling(() => first(ask));
    } finally {
      once.end();
    }
    if (returned === token) return given as Given;
    throw notGiven(hooks, returned);
  }

  /** Those that are called, for who wrote one of them. */
  #namesOf(own: OwnHook | undefined): readonly (keyof WorkflowInterceptor)[] {
    const named = NAMES.filter((name) => name === "ask" || name === own);
    return named.filter((name) => this.#parts.some((part) => part[name] !== undefined));
  }

  #calling<T>(body: () => T): T {
    this.#areCalled = true;
    try {
      return body();
    } finally {
      this.#areCalled = false;
    }
  }
}

const NAMES = ["ask", "askStep", "askChild", "askContinueAsNew"] as const;

/** The answer to come, for whoever looks from aside: as a promise that is made when somebody does. */
export class ComingAnswer {
  #answer: AskAnswer | undefined;
  #resolve: ((answer: AskAnswer) => void) | undefined;
  #promise: Promise<AskAnswer> | undefined;

  get promise(): Promise<AskAnswer> {
    this.#promise ??= new Promise((resolve) => {
      if (this.#answer === undefined) this.#resolve = resolve;
      else resolve(this.#answer);
    });
    return this.#promise;
  }

  /** The first is what counts. */
  readonly tell = (answer: AskAnswer): void => {
    this.#answer ??= answer;
    this.#resolve?.(this.#answer);
  };
}
