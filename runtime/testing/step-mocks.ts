// Steps with another body for the time of a test, by name. What is mocked is the body alone: attempts, pauses, limits,
// and what the history says of them are the runtime's.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { assertName } from "../../sdk/protocol/names.ts";
import { RESERVED_PREFIX } from "../../sdk/protocol/pending-work.ts";
import type { Deferred } from "../../sdk/workflow/deferred.ts";
import type { StepBody, StepContext, StepDefinition } from "../../sdk/workflow/step.ts";
import type { PendingStep } from "../replay/pending.ts";

/** One attempt of a mocked step. */
export interface StepCall<Input> {
  /** What the step was called with; undefined for an inline step. */
  readonly input: Input;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly workflowId: string;
  readonly runId: string;
  readonly idempotencyKey: string;
}

export interface MockStepOptions {
  /** The first attempts of each step of this name that fail, by their number. Default 0. */
  readonly failFirst?: number;
  /** What they fail with. Default: an error that says so. */
  readonly failWith?: unknown;
}

export interface StepMock<Input = unknown> {
  /** Every attempt, in the order in which they began; the failed ones too. */
  readonly calls: readonly StepCall<Input>[];
  /** From here on the step has the body it had before. */
  restore(): void;
}

type Mocked<Result> = Result | Deferred<Result>;

export interface MockStep {
  /** A step made by `defineStep`. `run` has its types. */
  <Input, Result>(
    step: StepDefinition<Input, Result>,
    run: (input: Input, context: StepContext) => Mocked<NoInfer<Result>> | Promise<Mocked<NoInfer<Result>>>,
    options?: MockStepOptions,
  ): StepMock<Input>;
  /** Any step or transaction of this name. */
  (name: string, run: (context: StepContext) => unknown, options?: MockStepOptions): StepMock;
}

interface Mock {
  readonly name: string;
  readonly isDefined: boolean;
  readonly run: (...given: never[]) => unknown;
  readonly options: MockStepOptions;
  readonly calls: StepCall<unknown>[];
}

export class StepMocks {
  readonly #mocks = new Map<string, Mock[]>();
  /** Names of the steps that were to be executed, mocked or not. */
  readonly #asked = new Set<string>();
  readonly #isStrict: boolean;

  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  readonly mock = ((step: string | StepDefinition<never, unknown>, run: Mock["run"], options: MockStepOptions = {}) => {
    const name = typeof step === "string" ? step : step.stepName;
    assertName(name, "mockStep(step)");
    if (typeof run !== "function")
      throw invalid(`mockStep("${name}", run) takes a function; got ${typeof run}.`, "run");
    const { failFirst = 0 } = options;
    if (!Number.isSafeInteger(failFirst) || failFirst < 0)
      throw invalid(`mockStep("${name}", …, { failFirst }) takes a count; got ${String(failFirst)}.`, "failFirst");
    const mock: Mock = { name, isDefined: typeof step !== "string", run, options, calls: [] };
    const mocks = this.#mocks.get(name) ?? [];
    this.#mocks.set(name, mocks);
    mocks.push(mock);
    return {
      calls: mock.calls,
      restore: () => {
        if (mocks.includes(mock)) mocks.splice(mocks.indexOf(mock), 1);
      },
    };
  }) as MockStep;

  restoreAll(): void {
    this.#mocks.clear();
  }

  /** The names of those that are in place and were never called, in the order of mocking; one that was mocked twice may be there twice. */
  unused(): string[] {
    const mocks = [...this.#mocks.values()].flat();
    return mocks.filter(({ calls }) => calls.length === 0).map(({ name }) => name);
  }

  /** Throws MOCK_UNUSED. */
  assertUsed(): void {
    const unused = this.unused();
    if (unused.length === 0) return;
    const names = [...new Set(unused)];
    const asked = [...this.#asked];
    const rest = asked.length > MOST_NAMES ? `, and ${asked.length - MOST_NAMES} more` : "";
    const seen = asked.length === 0 ? "none" : `${quoted(asked.slice(0, MOST_NAMES))}${rest}`;
    throw new EverstepError(
      "MOCK_UNUSED",
      `${unused.length === 1 ? "A mock" : "Mocks"} of ${quoted(names)} ${unused.length === 1 ? "was" : "were"} never called. Steps executed so far: ${seen}. Correct the name, or leave the mock out.`,
      { details: { unused: names, executed: asked } },
    );
  }

  /** The newest mock of the step's name; in a strict environment a body that refuses, where there is none. */
  bodyOf({ ask }: PendingStep): StepBody {
    // Steps of Everstep's own touch nothing of the world.
    const isOurs = ask.name.startsWith(RESERVED_PREFIX);
    if (!isOurs) this.#asked.add(ask.name);
    const mock = this.#mocks.get(ask.name)?.at(-1);
    if (mock !== undefined) return mockedBody(mock, ask.body);
    return this.#isStrict && !isOurs ? { kind: "step", run: () => refuse(ask.name) } : ask.body;
  }
}

/** As many as a message names. */
const MOST_NAMES = 10;

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function mockedBody(mock: Mock, body: StepBody): StepBody {
  const input = body.kind === "step" ? body.input : undefined;
  return {
    kind: "step",
    input,
    run: (context) => {
      const { attempt, workflowId, runId, idempotencyKey } = context;
      mock.calls.push({ input, attempt, workflowId, runId, idempotencyKey });
      const { failFirst = 0 } = mock.options;
      if (attempt <= failFirst)
        throw "failWith" in mock.options
          ? mock.options.failWith
          : new Error(`step "${mock.name}" is mocked to fail ${failFirst} times; this was attempt ${attempt}`);
      const run = mock.run as (...given: unknown[]) => unknown;
      return mock.isDefined ? run(input, context) : run(context);
    },
  };
}

function refuse(name: string): never {
  throw new EverstepError(
    "STEP_NOT_MOCKED",
    `Step "${name}" was about to be executed, and this environment executes mocked steps only. Mock it: env.mockStep("${name}", …).`,
    { details: { step: name } },
  );
}

function invalid(message: string, argument: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}
