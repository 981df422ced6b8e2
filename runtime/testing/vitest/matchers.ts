// Expectations of runs. Each reads what the run says of itself, so a message can say what happened instead.

import type { ShownEvent } from "../../../sdk/client/front-door.ts";
import { RunFailedError } from "../../../sdk/client/run-failed-error.ts";
import { RunHandle } from "../../../sdk/client/run-handle.ts";
import { EverstepError, isEverstepError } from "../../../sdk/protocol/errors.ts";
import type { EventType } from "../../../sdk/protocol/event.ts";
import type { StepDefinition } from "../../../sdk/workflow/step.ts";
import { wordsOf } from "../run-shape.ts";
import { isWaitingFor, nameOfWait, type Wait, waitsOf } from "./waits.ts";

export type { ExpectedWait, Wait } from "./waits.ts";

export interface ExpectedStep {
  /** How often it ended, whatever its end. Default: at least once. */
  readonly times?: number;
  /** How many attempts each of them took. */
  readonly attempts?: number;
}

/** An event's type, or its type and some of what it says. */
export type ExpectedEvent = EventType | { readonly type: EventType; readonly [property: string]: unknown };

/** What `expect(run)` can do beside vitest's own. All are asynchronous: await them. */
export interface RunMatchers<T> {
  /**
   * The run completes, with this result if one is given (equal, asymmetric matchers allowed). Waits for its end as
   * `run.result()` does, at most ten years of its time.
   */
  toHaveCompleted(result?: T extends RunHandle<infer Result> ? Result : never): Promise<void>;
  /** Steps of this name have ended so far: so often, with so many attempts each. */
  toHaveRunStep(step: string | StepDefinition<never, unknown>, expected?: ExpectedStep): Promise<void>;
  /** The run waits for this now: a signal's or a step's definition, or what is named. */
  toBeWaitingFor(wait: Wait): Promise<void>;
  /** The history so far is made of exactly these events, in this order. */
  toHaveHistory(events: readonly ExpectedEvent[]): Promise<void>;
}

const LONGEST = "3650 days";

/** What vitest gives a matcher, as far as it is used here, and gets from it. */
interface Comparing {
  equals(left: unknown, right: unknown): boolean;
}
interface Verdict {
  readonly pass: boolean;
  readonly message: () => string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}
type Matcher = (this: Comparing, run: unknown, ...expected: never[]) => Promise<Verdict>;

export const runMatchers = {
  async toHaveCompleted(this: Comparing, run: unknown, ...expected: unknown[]) {
    const handle = requireRun(run, "toHaveCompleted");
    const name = `run ${handle.workflowId}`;
    try {
      const result = await handle.result({ timeout: LONGEST });
      const [wanted] = expected;
      const pass = expected.length === 0 || this.equals(result, wanted);
      const message = pass
        ? () => `expected ${name} not to have completed${expected.length === 0 ? "" : " with that result"}`
        : () => `expected ${name} to have completed with another result`;
      return { pass, message, actual: result, expected: wanted };
    } catch (error) {
      const why = await whyNot(handle, error);
      return { pass: false, message: () => `expected ${name} to have completed, but ${why}` };
    }
  },

  async toHaveRunStep(run: unknown, step: string | StepDefinition<never, unknown>, wanted: ExpectedStep = {}) {
    const handle = requireRun(run, "toHaveRunStep");
    const name = typeof step === "string" ? step : step.stepName;
    const ended = (await eventsOf(handle)).flatMap((event) =>
      event.type === "StepCompleted" || event.type === "StepFailed" ? [event] : [],
    );
    const ofName = ended.filter((event) => event.name === name);
    const { times, attempts } = wanted;
    const isOften = times === undefined ? ofName.length > 0 : ofName.length === times;
    const pass = isOften && (attempts === undefined || ofName.every((event) => event.attempt === attempts));
    const words = [
      times === undefined ? "" : ` ${times} times`,
      attempts === undefined ? "" : `, ${attempts} attempts each`,
    ];
    const seen = ended.map((event) => `  ${wordsOf({ ...event })} (attempts: ${event.attempt})`).join("\n");
    const message = () =>
      `expected run ${handle.workflowId} ${pass ? "not " : ""}to have run step "${name}"${words.join("")}. Its steps so far:\n${seen === "" ? "  none" : seen}`;
    return { pass, message };
  },

  async toBeWaitingFor(run: unknown, wait: Wait) {
    const handle = requireRun(run, "toBeWaitingFor");
    const { pending, summary } = await handle.describe();
    const pass = pending !== null && isWaitingFor(pending, wait);
    const waits = pending === null ? [] : waitsOf(pending);
    const said = waits.length === 0 ? summary : waits.join(", ");
    const message = () =>
      `expected run ${handle.workflowId} ${pass ? "not " : ""}to be waiting for ${nameOfWait(wait)}. It waits for: ${said}`;
    return { pass, message };
  },

  async toHaveHistory(this: Comparing, run: unknown, wanted: readonly ExpectedEvent[]) {
    const handle = requireRun(run, "toHaveHistory");
    const events = await eventsOf(handle);
    const expected = wanted.map((event) => (typeof event === "string" ? { type: event } : event));
    // Of each event as much as is expected of it, so that a difference shows nothing else.
    const actual = events.map((event, index) => partOf(event, Object.keys(expected[index] ?? { type: true })));
    const pass = this.equals(actual, expected);
    const lines = events.map((event) => `  ${event.seq} ${wordsOf({ ...event })}`).join("\n");
    const message = () =>
      `expected run ${handle.workflowId} ${pass ? "not " : ""}to have this history. Its events so far:\n${lines}`;
    return { pass, message, actual, expected };
  },
} satisfies Record<keyof RunMatchers<unknown>, Matcher>;

function requireRun(run: unknown, matcher: string): RunHandle {
  if (run instanceof RunHandle) return run;
  const message = `expect(run).${matcher}() takes a run's handle, as env.client.start() gives it; got ${typeof run}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "run" } });
}

async function whyNot(run: RunHandle, error: unknown): Promise<string> {
  if (error instanceof RunFailedError) return `it ended as ${error.status}: ${String(error.cause)}`;
  if (!isEverstepError(error, "RUN_STILL_OPEN")) return `it cannot: ${error instanceof Error ? error.message : error}`;
  return `it is still open after ${LONGEST} of its time. ${(await run.describe()).summary}`;
}

async function eventsOf(run: RunHandle): Promise<ShownEvent[]> {
  const events: ShownEvent[] = [];
  for await (const event of run.history()) events.push(event);
  return events;
}

function partOf(event: ShownEvent, properties: readonly string[]): Record<string, unknown> {
  const said: Readonly<Record<string, unknown>> = { ...event };
  return Object.fromEntries(properties.map((property) => [property, said[property]]));
}
