// What hooks around a run's code may not do. Types ask for most of it; what gets past them is refused here.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { WorkflowInterceptor } from "../../sdk/workflow/interceptors.ts";

type Hook = keyof WorkflowInterceptor;

/** Of what `next` leads to: code that ran twice would ask twice, and code that ran later would ask at no place of the history. */
export class OnlyOnce {
  readonly #hooks: readonly Hook[];
  #isUsed = false;

  /** Of the hooks that stand around it. */
  constructor(hooks: readonly Hook[]) {
    this.#hooks = hooks;
  }

  /** Throws ARGUMENT_INVALID when it was used before, or its time is over. */
  use(): void {
    if (this.#isUsed)
      throw refused(this.#hooks, "called next() once more, or too late. It must call it once, before it returns.");
    this.#isUsed = true;
  }

  /** From here on it is too late. */
  end(): void {
    this.#isUsed = true;
  }
}

export function notGiven(hooks: readonly Hook[], returned: unknown): EverstepError {
  // It is not waited for: whatever becomes of it is nobody's.
  if (returned instanceof Promise) returned.catch(() => {});
  const must = "It must return that, at once and as it is: not be async, and not await.";
  return refused(hooks, `returned something else than next() gave. ${must}`);
}

function refused(hooks: readonly Hook[], what: string): EverstepError {
  const message = `An interceptor's ${hooks.map((hook) => `workflow.${hook}()`).join(" or ")} ${what}`;
  const argument = hooks.map((hook) => `interceptors.workflow.${hook}`).join(", ");
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}
