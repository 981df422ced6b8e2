// Interceptors, as the compiler sees them: what passes through cannot be exchanged, and a run's code cannot be awaited.

import { expect, expectTypeOf, test } from "vitest";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { type ClientCall, type Interceptor, step, workflow, workflowInfo } from "../../sdk/index.ts";

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
  expect([fits, awaits, exchanges, misreads, unknown, callers]).toHaveLength(6);
});
