// Interceptors, as the compiler sees them: what passes through cannot be exchanged, and a run's code cannot be awaited.

import { expect, expectTypeOf, test } from "vitest";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import {
  type AskAnswer,
  type AskedStep,
  type ClientCall,
  type Interceptor,
  step,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";

const plain = workflow("plain", async () => {});

type PauseCall = Extract<ClientCall, { readonly operation: "pause" }>;

const misreads: Interceptor = {
  client: {
    call: (call, next) => {
      // @ts-expect-error only some calls have a reason
      call.reason;
      // @ts-expect-error there is no such call
      if (call.operation === "delete") return next();
      return next();
    },
  },
};

const fits: Interceptor = {
  client: {
    start: async (call, next) => {
      expectTypeOf(call.headers).toEqualTypeOf<Readonly<Record<string, string>>>();
      const started = await next({ headers: { ...call.headers, a: "b" } });
      expectTypeOf(started.runId).toEqualTypeOf<string>();
      return started;
    },
    call: async (call, next) => {
      expectTypeOf(call.isReading).toEqualTypeOf<boolean>();
      if (call.operation === "pause") expectTypeOf(call).toEqualTypeOf<PauseCall>();
      if (call.operation === "count") expectTypeOf(call.isReading).toEqualTypeOf<true>();
      if (call.operation === "fork") expectTypeOf(call.replaces).toEqualTypeOf<boolean>();
      return next();
    },
    query: async (_, next) => next(),
    result: (_, next) => next(),
  },
  workflow: {
    execute: (_, next) => {
      const result = next();
      result.then(
        () => {},
        () => {},
      );
      return result;
    },
    handleUpdate: (_, next) => next(),
    ask: (asked, next) => {
      if (asked.kind === "step") expectTypeOf(asked).toEqualTypeOf<AskedStep>();
      if (asked.kind === "note") expectTypeOf(asked.text).toEqualTypeOf<string>();
      if ("answered" in asked) expectTypeOf(asked.answered).toEqualTypeOf<Promise<AskAnswer>>();
      return next();
    },
    askStep: (asked, next) => next(asked.timeoutMs === null ? { timeout: "30s" } : undefined),
    askChild: ({ headers }, next) => next({ headers: { ...headers, a: "b" }, queue: "q" }),
    askContinueAsNew: ({ headers }, next) => next({ headers }),
  },
  step: {
    execute: async ({ context }, next) => {
      expectTypeOf(context.headers).toEqualTypeOf<Readonly<Record<string, string>>>();
      return await next();
    },
  },
};

const awaits: Interceptor = {
  workflow: {
    // @ts-expect-error an await in a run's code may change what it observes
    execute: async (_, next) => await next(),
    // @ts-expect-error as in handlers
    handleSignal: async (_, next) => await next(),
    // @ts-expect-error as around what the code asks for
    ask: async (_, next) => next(),
    // @ts-expect-error what next gives is nothing to wait for
    askStep: (_, next) => next().then((given) => given),
  },
};

const asksOtherwise: Interceptor = {
  workflow: {
    // @ts-expect-error in general nothing can be asked for otherwise
    ask: (_, next) => next({ timeout: "1s" }),
    // @ts-expect-error there is no such option
    askStep: (_, next) => next({ timeoutMs: 1 }),
    // @ts-expect-error which child it is is for the code to say
    askChild: (_, next) => next({ id: "another" }),
    // @ts-expect-error an answer can only be the one of next
    askContinueAsNew: () => "instead",
  },
};

const exchanges: Interceptor = {
  client: {
    // @ts-expect-error an answer can only be the one of next
    query: async () => 1,
    // @ts-expect-error nor can any other
    call: async () => ({}),
    // @ts-expect-error only headers can be changed
    start: (_, next) => next({ workflowId: "another" }),
  },
  step: {
    // @ts-expect-error a result can only be the one of next
    execute: async () => "instead",
  },
};

// @ts-expect-error there is no such side
const unknown: Interceptor = { steps: {} };

async function callers(client: WorkflowClient) {
  await client.start(plain, { headers: { a: "b" } });
  // @ts-expect-error headers are strings
  await client.start(plain, { headers: { a: 1 } });
  // @ts-expect-error they cannot be changed by the code
  workflowInfo().headers.a = "c";
  await step("s", ({ headers }) => headers.a);
}

test("the compiler has read this file", () => {
  expect([fits, awaits, asksOtherwise, exchanges, misreads, unknown, callers]).toHaveLength(7);
});
