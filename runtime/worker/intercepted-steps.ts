// Interceptors around the functions of steps. Undefined where there are none: a step then pays nothing for them.

import { callAround, hooksOf, type StepAttemptCall, type StepInterceptor } from "../../sdk/workflow/interceptors.ts";
import type { StepBody, StepContext } from "../../sdk/workflow/step.ts";
import type { BodyOf } from "./step-runner.ts";

/** For a worker whose steps have their own bodies. */
export function interceptedBodies(parts: readonly (StepInterceptor | undefined)[]): BodyOf | undefined {
  const around = aroundSteps(parts);
  return around && (({ workflow }, { ask }) => around({ workflow, name: ask.name }, ask.body));
}

export type AroundBody = (step: { readonly workflow: string; readonly name: string }, body: StepBody) => StepBody;

export function aroundSteps(parts: readonly (StepInterceptor | undefined)[]): AroundBody | undefined {
  const hooks = hooksOf(
    parts.filter((part) => part !== undefined),
    "execute",
  ) as readonly ((call: StepAttemptCall, next: () => Promise<unknown>) => Promise<unknown>)[] | undefined;
  if (hooks === undefined) return undefined;
  return ({ workflow, name }, body) => {
    const { kind } = body;
    const around = (context: StepContext, execute: () => unknown) =>
      // The body's own error, thrown at once or later, comes out of `next` in one way.
      callAround(hooks, { workflow, name, kind, context }, async () => execute());
    return body.kind === "step"
      ? { ...body, run: (context: StepContext) => around(context, () => body.run(context)) }
      : { ...body, run: (tx, context) => around(context, () => body.run(tx, context)) };
  };
}
