// What the lint rules know of Everstep's functions, held to the functions: to their types, so that a new one that gives a promise
// is known, and to what they do where they should not be called.

import {
  allHandlersFinished,
  type CancellableScope,
  cancelScope,
  condition,
  continueAsNew,
  createWebhook,
  defineAttributes,
  defineQuery,
  defineSemaphore,
  defineSignal,
  defineStep,
  defineUpdate,
  deprecatePatch,
  type Entity,
  endEntity,
  entity,
  executeChild,
  externalRun,
  isCanceled,
  isEverstepError,
  log,
  map,
  nonCancellable,
  note,
  operation,
  parallel,
  patched,
  poll,
  race,
  type Saga,
  saga,
  setCurrentDetails,
  sleep,
  sleepUntil,
  startChild,
  step,
  tellEntity,
  transaction,
  upsertAttributes,
  upsertMemo,
  type Webhook,
  waitForAny,
  withLock,
  withTimeout,
  workflow,
  workflowInfo,
} from "everstep";
import { testEnvironment } from "everstep/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { ANY_METHOD, ITSELF, METHODS, type Thing, VERBS, type Verb } from "../../sdk/eslint/language.ts";
import { type Compiler, openCompiler } from "../support/compiler.ts";

describe("by their types", () => {
  let compiler: Compiler;
  beforeAll(async () => {
    compiler = await openCompiler();
  });
  afterAll(() => compiler[Symbol.asyncDispose]());

  async function printedReturns(type: Parameters<Compiler["returnsOf"]>[0]): Promise<string[]> {
    return Promise.all((await compiler.returnsOf(type)).map(compiler.print));
  }
  const isPromise = (printed: string) => printed.startsWith("Promise<");

  /** Name by name: "promise" for what gives one in any of its overloads, else "value". */
  async function functionsOf(types: ReadonlyMap<string, Parameters<Compiler["returnsOf"]>[0]>) {
    const found: Record<string, "promise" | "value"> = {};
    for (const [name, type] of types) {
      const returns = await printedReturns(type);
      if (returns.length > 0 && !name.startsWith("__")) found[name] = returns.some(isPromise) ? "promise" : "value";
    }
    return found;
  }

  function known(verbs: Readonly<Record<string, Verb>>) {
    const kinds = Object.entries(verbs).map(([name, verb]) => [name, "unawaited" in verb ? "promise" : "value"]);
    return Object.fromEntries(kinds) as Record<string, "promise" | "value">;
  }

  test("every function of the door is known, and which of them give promises", async () => {
    expect(known(VERBS)).toEqual(await functionsOf(await compiler.exportsOf("sdk/index.ts")));
  });

  test("what they give is known, where it has methods", async () => {
    const types = await compiler.typesOf("sdk/index.ts");
    for (const [name, type] of await compiler.exportsOf("sdk/index.ts")) {
      const given = new Set<string>();
      for (const printed of await printedReturns(type)) {
        const named = /^(?:Promise<)?(\w+)/.exec(printed)?.[1] ?? "";
        const declared = types.get(named);
        if (declared === undefined) continue;
        const methods = await functionsOf(await compiler.propertiesOf(declared));
        const isCalled = (await compiler.returnsOf(declared)).length > 0;
        if (isCalled || Object.keys(methods).length > 0 || named === "ToldEntity") given.add(named);
      }
      const verb: Verb | undefined = (VERBS as Readonly<Record<string, Verb>>)[name];
      expect([...given], name).toEqual(verb?.gives === undefined ? [] : [verb.gives]);
    }
  });

  test.each(Object.keys(METHODS).filter((name) => name !== "ToldEntity"))(
    "every method of %s is known",
    async (name) => {
      const declared = (await compiler.typesOf("sdk/index.ts")).get(name);
      if (declared === undefined) throw new Error(`"everstep" exports no type ${name}`);
      const methods = await functionsOf(await compiler.propertiesOf(declared));
      const returns = await printedReturns(declared);
      if (returns.length > 0) methods[ITSELF] = returns.some(isPromise) ? "promise" : "value";
      expect(known(METHODS[name as Thing])).toEqual(methods);
    },
  );
});

describe("by what they do", () => {
  const signal = defineSignal("signal");
  const query = defineQuery<number>("query");
  const update = defineUpdate<number>("update");
  const defined = defineStep("defined", async (n: number) => n);
  const permits = defineSemaphore("permits", { permits: 2 });
  const attributes = defineAttributes({ customer: "keyword" });
  const child = workflow("child", async (input: number) => input);
  const cart: Entity<{ add(state: object): void }, Record<never, never>> = entity("cart", {
    initial: () => ({}),
    operations: { add() {} },
  });
  const checked = operation(z.number(), (_: object, n) => n);
  /** Made in workflow code, called elsewhere. */
  interface Made {
    readonly scope: CancellableScope;
    readonly child: ReturnType<typeof startChild<number, number>>;
    readonly webhook: Webhook<unknown>;
    readonly undo: Saga;
  }
  const body = async () => {};

  const EXPORTS: Record<keyof typeof VERBS, () => unknown> = {
    allHandlersFinished: () => allHandlersFinished(),
    cancelScope: () => cancelScope(),
    condition: () => condition(() => false),
    continueAsNew: () => continueAsNew(),
    createWebhook: () => createWebhook("hook"),
    defineAttributes: () => defineAttributes({ a: "int" }),
    defineQuery: () => defineQuery("q"),
    defineSemaphore: () => defineSemaphore("s", { permits: 1 }),
    defineSignal: () => defineSignal("s"),
    defineStep: () => defineStep("s", body),
    defineUpdate: () => defineUpdate("u"),
    deprecatePatch: () => deprecatePatch("p"),
    endEntity: () => endEntity(),
    entity: () => entity("e", { initial: () => ({}), operations: {} }),
    executeChild: () => executeChild(child, { input: 1 }),
    externalRun: () => externalRun("other"),
    isCanceled: () => isCanceled(new Error()),
    isEverstepError: () => isEverstepError(new Error()),
    map: () => map([1], () => 1),
    nonCancellable: () => nonCancellable(body),
    note: () => note("n"),
    operation: () => operation(z.number(), () => 1),
    parallel: () => parallel([() => 1]),
    patched: () => patched("p"),
    poll: () => poll("poll", () => false, { every: "1m" }),
    race: () => race({ a: () => 1 }),
    saga: () => saga(body),
    setCurrentDetails: () => setCurrentDetails("d"),
    sleep: () => sleep(1),
    sleepUntil: () => sleepUntil(new Date(0)),
    startChild: () => startChild(child, { input: 1 }),
    step: () => step("step", () => 1),
    tellEntity: () => tellEntity(cart, "key"),
    transaction: () => transaction("transaction", async () => 1),
    upsertAttributes: () => upsertAttributes({}),
    upsertMemo: () => upsertMemo({}),
    waitForAny: () => waitForAny({ signal }),
    withLock: () => withLock("key", body),
    withTimeout: () => withTimeout("1m", body),
    workflow: () => workflow("w", body),
    workflowInfo: () => workflowInfo(),
  };

  const CALLS: { readonly [Name in Thing]: Record<keyof (typeof METHODS)[Name], (made: Made) => unknown> } = {
    AttributeSet: {
      [ITSELF]: () => attributes({ customer: "a" }),
      of: () => attributes.of({ attributes: {} }),
      where: () => attributes.where({ customer: "a" }),
    },
    CancellableScope: { cancel: ({ scope }) => scope.cancel(), run: ({ scope }) => scope.run(body) },
    CheckedOperation: { [ITSELF]: () => checked({}, 1) },
    ChildRun: { cancel: (made) => made.child.cancel(), signal: (made) => made.child.signal(signal) },
    Compensations: { add: ({ undo }) => undo.add("nothing", () => {}) },
    Entity: { initial: () => cart.initial("key"), workflowId: () => cart.workflowId("key") },
    ExternalRun: { cancel: () => externalRun("other").cancel(), signal: () => externalRun("other").signal(signal) },
    QueryDefinition: { handle: () => query.handle(() => 1) },
    Saga: { add: ({ undo }) => undo.add("nothing", () => {}), compensate: () => saga().compensate() },
    SemaphoreDefinition: { with: () => permits.with(body) },
    SignalDefinition: { handle: () => signal.handle(() => {}), receive: () => signal.receive() },
    StepDefinition: { [ITSELF]: () => defined(1) },
    // Given to the bodies of transactions alone.
    StepTransaction: { query: () => {} },
    ToldEntity: { [ANY_METHOD]: () => tellEntity(cart, "key").add() },
    UpdateDefinition: { handle: () => update.handle(() => 1) },
    Webhook: { receive: ({ webhook }) => webhook.receive() },
    Workflow: { continueAsNew: () => child.continueAsNew(1), main: () => child.main(1) },
    WorkflowLog: {
      debug: () => log.debug("x"),
      error: () => log.error("x"),
      info: () => log.info("x"),
      warn: () => log.warn("x"),
    },
  };

  const verbs: [string, Verb, (made: Made) => unknown][] = Object.entries(VERBS).map(([name, verb]) => [
    name,
    verb,
    EXPORTS[name as keyof typeof VERBS],
  ]);
  for (const [thing, methods] of Object.entries(METHODS)) {
    const calls = CALLS[thing as Thing] as Readonly<Record<string, (made: Made) => unknown>>;
    for (const [method, verb] of Object.entries(methods))
      verbs.push([`${thing} ${method}`, verb, calls[method] as never]);
  }

  /** What comes of a call: a code of ours, thrown or rejected with, or "none" as long as there is none. */
  class Attempt {
    outcome = "none";

    constructor(call: () => unknown) {
      try {
        const given = call();
        if (given instanceof Promise) given.catch((error) => this.#failed(error));
      } catch (error) {
        this.#failed(error);
      }
    }

    #failed(error: unknown): void {
      this.outcome = isEverstepError(error) ? error.code : String(error);
    }
  }

  test.each(verbs)("%s throws where the rules say it does", async (_, { where }, call) => {
    const asked = defineQuery<string>("asked");
    const attempts: Partial<Record<"query" | "condition" | "step", Attempt>> = {};
    const main = workflow("main", async () => {
      const waiting = startChild(child, { input: 1, id: "a-child" });
      const made: Made = {
        scope: cancelScope(),
        child: waiting,
        webhook: await createWebhook("made"),
        undo: saga(),
      };
      await waiting.result;
      asked.handle(() => {
        attempts.query = new Attempt(() => call(made));
        return "asked";
      });
      await condition(() => {
        attempts.condition = new Attempt(() => call(made));
        return true;
      });
      await step("probe", () => {
        attempts.step = new Attempt(() => call(made));
      });
      await sleep("1h");
    });
    const env = await testEnvironment({ workflows: [main, child] });
    try {
      const run = await env.client.start(main);
      await env.advance("1m");
      await run.query(asked);
      await run.result();
      const readOnly = { outcome: where === "workflow" ? "COMMAND_IN_READ_ONLY" : "none" };
      const step = { outcome: where === "anywhere" ? "none" : "OUTSIDE_WORKFLOW" };
      expect(attempts).toEqual({ query: readOnly, condition: readOnly, step });
    } finally {
      await env.stop();
    }
  });
});
