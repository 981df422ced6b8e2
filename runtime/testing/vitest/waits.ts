// What a run waits for, in the words of a test and in those of its description.

import type { PendingWork } from "../../../sdk/protocol/pending-work.ts";
import type { StepDefinition } from "../../../sdk/workflow/step.ts";

/** A wait by its name. A timer's is what asked for it: "sleep", "receive approve". */
export type ExpectedWait =
  | { readonly signal: string }
  | { readonly step: string; readonly attempt?: number }
  | { readonly timer: string; readonly until?: Date }
  | { readonly condition: true };

/** A signal's definition, whatever its payload. */
export interface AnySignal {
  readonly name: string;
  readonly receive: unknown;
}

export type Wait = AnySignal | StepDefinition<never, unknown> | ExpectedWait;

export function isWaitingFor(pending: PendingWork, wait: Wait): boolean {
  const expected = expectedOf(wait);
  if ("signal" in expected) return pending.signals.includes(expected.signal);
  if ("condition" in expected) return pending.conditions > 0;
  if ("step" in expected) {
    const { step, attempt } = expected;
    return pending.steps.some((each) => each.name === step && (attempt === undefined || each.attempt === attempt));
  }
  const { timer, until } = expected;
  return pending.timers.some(
    ({ name, fireAt }) => name === timer && (until === undefined || fireAt === until.getTime()),
  );
}

export function nameOfWait(wait: Wait): string {
  const expected = expectedOf(wait);
  if ("signal" in expected) return `signal "${expected.signal}"`;
  if ("condition" in expected) return "a condition";
  if ("step" in expected)
    return `step "${expected.step}"${expected.attempt === undefined ? "" : `, attempt ${expected.attempt}`}`;
  return `timer "${expected.timer}"${expected.until === undefined ? "" : ` until ${expected.until.toISOString()}`}`;
}

/** All that the run waits for, each in a few words. */
export function waitsOf(pending: PendingWork): string[] {
  return [
    ...pending.steps.map(({ name, attempt }) => `step "${name}", attempt ${attempt}`),
    ...pending.timers.map(({ name, fireAt }) => `timer "${name}"${untilOf(fireAt)}`),
    ...pending.signals.map((signal) => `signal "${signal}"`),
    ...(pending.conditions > 0 ? ["a condition"] : []),
  ];
}

function untilOf(fireAt: number | null): string {
  return fireAt === null ? "" : ` until ${new Date(fireAt).toISOString()}`;
}

function expectedOf(wait: Wait): ExpectedWait {
  if (typeof wait === "function") return { step: wait.stepName };
  return "receive" in wait ? { signal: wait.name } : wait;
}
