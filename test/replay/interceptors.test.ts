// What stands around clients, runs and steps: in which order, what it sees, and where its errors go.

import {
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  type Interceptor,
  sleep,
  step,
  transaction,
  workflow,
  workflowInfo,
} from "everstep";
import { type TestEnvironment, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";

const add = defineSignal<number>("add");
const change = defineUpdate<number, number>("change");
const total = defineQuery<number>("total");

const sums = workflow("sums", async (goal: number) => {
  let sum = 0;
  total.handle(() => sum);
  add.handle((n) => {
    sum += n;
  });
  change.handle((n) => {
    sum += n;
    return sum;
  });
  await step("open", () => undefined);
  await condition(() => sum >= goal);
  return sum;
});

async function environment(options: Partial<TestEnvironmentOptions>): Promise<TestEnvironment> {
  const env = await testEnvironment({ workflows: [sums], ...options });
  onTestFinished(() => env.stop());
  return env;
}

/** Writes down what it stands around, when it begins and when it ends. */
function noting(name: string, notes: string[]): Interceptor {
  async function around<T>(what: string, next: () => Promise<T>): Promise<T> {
    notes.push(`${name}: ${what}`);
    try {
      return await next();
    } finally {
      notes.push(`${name}: end of ${what}`);
    }
  }
  const atOnce = <T>(what: string, next: () => T): T => {
    notes.push(`${name}: ${what}`);
    return next();
  };
  return {
    client: {
      start: (call, next) => around(`start ${call.workflow} as ${call.workflowId}`, () => next()),
      signal: (call, next) => around(`signal ${call.name}`, next),
      update: (call, next) => around(`update ${call.name}`, next),
      updateResult: (call, next) => around(`${call.waitFor} ${call.name}`, next),
      query: (call, next) => around(`query ${call.name}`, next),
      cancel: (call, next) => around(`cancel: ${call.reason}`, next),
      terminate: (call, next) => around(`terminate: ${call.reason}`, next),
      result: async (_call, next) => {
        const closed = await next();
        notes.push(`${name}: result ${closed.status}`);
        return closed;
      },
    },
    workflow: {
      execute: ({ info }, next) => atOnce(`execute ${info.workflow}`, next),
      handleSignal: (call, next) => atOnce(`handle signal ${call.name} ${call.signalId}`, next),
      handleUpdate: (call, next) => atOnce(`handle update ${call.name} ${call.updateId}`, next),
      handleQuery: (call, next) => atOnce(`handle query ${call.name}`, next),
    },
    step: {
      execute: ({ workflow: of, name: called, kind, context }, next) =>
        around(`${kind} ${called} of ${of}, attempt ${context.attempt}`, next),
    },
  };
}

test("the first interceptor is the outermost, on every side", async () => {
  const notes: string[] = [];
  const env = await environment({ interceptors: [noting("a", notes), noting("b", notes)] });
  const taken = () => notes.splice(0);

  const run = await env.client.start(sums, { id: "s", input: 3 });
  await env.advance(0);
  const begun = taken();
  expect(begun.filter((note) => note.includes("start"))).toEqual([
    "a: start sums as s",
    "b: start sums as s",
    "b: end of start sums as s",
    "a: end of start sums as s",
  ]);
  expect(begun.filter((note) => note.includes("execute sums")).slice(0, 2)).toEqual([
    "a: execute sums",
    "b: execute sums",
  ]);
  expect(begun.filter((note) => note.includes("step open"))).toEqual([
    "a: step open of sums, attempt 1",
    "b: step open of sums, attempt 1",
    "b: end of step open of sums, attempt 1",
    "a: end of step open of sums, attempt 1",
  ]);

  await run.signal(add, 1, { signalId: "one" });
  await env.advance(0);
  expect(taken().filter((note) => note.includes("signal"))).toEqual([
    ...["a: signal add", "b: signal add", "b: end of signal add", "a: end of signal add"],
    ...["a: handle signal add signal:one", "b: handle signal add signal:one"],
  ]);

  expect(await run.query(total)).toBe(1);
  expect(taken().filter((note) => note.includes("query"))).toEqual([
    ...["a: query total", "b: query total", "a: handle query total", "b: handle query total"],
    ...["b: end of query total", "a: end of query total"],
  ]);

  expect(await run.update(change, 2, { updateId: "two" })).toBe(3);
  expect(await run.result()).toBe(3);
  const ended = taken();
  expect(ended).toContain("b: handle update change two");
  expect(ended).toContain("b: completed change");
  expect(ended.slice(-2)).toEqual(["b: result completed", "a: result completed"]);
});

test("canceling, terminating and every start of many pass by", async () => {
  const notes: string[] = [];
  const env = await environment({ interceptors: [{ client: noting("a", notes).client }] });
  const [one, two] = await env.client.startMany(sums, [
    { id: "1", input: 1 },
    { id: "2", input: 1 },
  ]);
  await one?.cancel("no more");
  await two?.terminate("enough");
  await env.client.signalWithStart(sums, { id: "3", input: 1, signal: add, payload: 1 });
  expect(notes.filter((note) => !note.includes("end of"))).toEqual([
    ...["a: start sums as 1", "a: start sums as 2", "a: cancel: no more", "a: terminate: enough"],
    "a: start sums as 3",
  ]);
});

test("of many starts a refused one does not keep the others from being started", async () => {
  const env = await environment({ interceptors: [{ client: noting("a", []).client }] });
  await env.client.start(sums, { id: "1", input: 1 });
  const many = env.client.startMany(sums, [
    { id: "1", input: 1 },
    { id: "2", input: 1 },
  ]);
  await expect(many).rejects.toMatchObject({ code: "RUN_ALREADY_STARTED" });
  expect((await env.client.getUntyped("2").describe()).workflowId).toBe("2");
});

test("each interceptor sees the headers of those outside of it, and what is sent is checked after all", async () => {
  const seen: unknown[] = [];
  const setting = (name: string, value: string): Interceptor => ({
    client: {
      start: (call, next) => {
        seen.push(call.headers);
        return next({ headers: { ...call.headers, [name]: value } });
      },
    },
  });
  const shows = workflow("shows", async () => workflowInfo().headers);
  const env = await environment({ workflows: [shows], interceptors: [setting("a", "1"), setting("b", "2")] });
  const run = await env.client.start(shows, { headers: { own: "0" } });
  expect(seen).toEqual([{ own: "0" }, { own: "0", a: "1" }]);
  expect(await run.result()).toEqual({ own: "0", a: "1", b: "2" });

  const tooMuch = await environment({ workflows: [shows], interceptors: [setting("a", "x".repeat(10_000))] });
  await expect(tooMuch.client.start(shows)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("what an interceptor throws in a call of the client reaches the caller, and nothing was asked of the run", async () => {
  const refuse = () => Promise.reject(new RangeError("not allowed"));
  const client = { start: refuse, signal: refuse, update: refuse, query: refuse, cancel: refuse, result: refuse };
  const env = await environment({ interceptors: [{ client }] });
  await expect(env.client.start(sums, { id: "s", input: 1 })).rejects.toThrow("not allowed");
  const run = env.client.get(sums, "s");
  await expect(run.describe()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  await expect(run.signal(add, 1)).rejects.toThrow("not allowed");
  await expect(run.update(change, 1)).rejects.toThrow("not allowed");
  await expect(run.query(total)).rejects.toThrow("not allowed");
  await expect(run.cancel()).rejects.toThrow("not allowed");
  await expect(run.result()).rejects.toThrow("not allowed");
});

test("an interceptor that forgets to return what next gave is told so", async () => {
  const forgetful = { client: { start: async (_: unknown, next: () => Promise<unknown>) => void (await next()) } };
  const env = await environment({ interceptors: [forgetful as unknown as Interceptor] });
  await expect(env.client.start(sums, { input: 1 })).rejects.toThrow("Return what next() gave.");
});

test("what an interceptor throws around a step fails the attempt, and errors can be exchanged", async () => {
  const failing = workflow("failing", async () => step("fail", () => Promise.reject(new Error("inner"))).catch(String));
  const exchanging: Interceptor = {
    step: {
      execute: async ({ context }, next) => {
        if (context.attempt === 1) throw new Error("before");
        return next().catch((cause) => {
          throw Object.assign(new Error("exchanged", { cause }), { name: "Exchanged" });
        });
      },
    },
  };
  const env = await environment({ workflows: [failing], interceptors: [exchanging] });
  const run = await env.client.start(failing);
  await env.advance(0);
  expect((await run.describe()).pending?.steps).toMatchObject([{ attempt: 2, lastError: "before" }]);
  await env.advance("2s");
  const events: unknown[] = [];
  for await (const event of run.history()) if (event.type === "StepAttemptFailed") events.push(event.failure.message);
  expect(events.slice(0, 2)).toEqual(["before", "exchanged"]);
});

test("the limits of a step count for what stands around it", async () => {
  const slow: Interceptor = { step: { execute: () => new Promise(() => {}) } };
  const limited = workflow("limited", async () =>
    step("look", () => 1, { timeout: "1s", retry: { maxAttempts: 1 } }).catch(({ cause }) => String(cause)),
  );
  const env = await environment({ workflows: [limited], interceptors: [slow] });
  const run = await env.client.start(limited);
  await env.advance("2s", { pastSteps: true });
  expect(await run.result()).toContain("ran longer than its timeout");
});

test("a transaction step is intercepted inside of its transaction", async () => {
  const notes: string[] = [];
  const books = workflow("books", async () => transaction("book", (tx) => tx.query("insert").then(() => "booked")));
  const steps: string[] = [];
  const env = await environment({
    workflows: [books],
    interceptors: [noting("a", notes)],
    transaction: () => ({
      query: async (text: string) => {
        steps.push(text, ...notes.splice(0).filter((note) => note.includes("book of")));
        return { rows: [], rowCount: 0 };
      },
      commit: () => void steps.push("commit", ...notes.splice(0).filter((note) => note.includes("book of"))),
      rollback: () => void steps.push("rollback"),
    }),
  });
  expect(await (await env.client.start(books)).result()).toBe("booked");
  expect(steps).toEqual([
    ...["insert", "a: transaction book of books, attempt 1"],
    ...["commit", "a: end of transaction book of books, attempt 1"],
  ]);
});

const thrower = (): never => {
  throw new RangeError("from aside");
};

test.each([
  ["execute", { execute: thrower }],
  ["handleSignal", { handleSignal: thrower }],
] as const)("what %s throws fails the run, as if its code had", async (_name, hooks) => {
  const env = await environment({ interceptors: [{ workflow: hooks }] });
  const run = await env.client.start(sums, { input: 1 });
  await run.signal(add, 1).catch(() => {});
  await expect(run.result()).rejects.toMatchObject({
    code: "RUN_FAILED",
    cause: expect.objectContaining({ message: "from aside" }),
  });
});

test("what stands around updates and queries fails them alone", async () => {
  const env = await environment({
    interceptors: [{ workflow: { handleUpdate: thrower, handleQuery: thrower } }],
  });
  const run = await env.client.start(sums, { input: 1 });
  await expect(run.update(change, 1)).rejects.toMatchObject({ code: "UPDATE_FAILED" });
  await expect(run.query(total)).rejects.toMatchObject({ code: "QUERY_FAILED" });
  await run.signal(add, 1);
  expect(await run.result()).toBe(1);
});

test.each([
  ["is async", async (_: unknown, next: () => unknown) => next()],
  ["forgets to return", (_: unknown, next: () => unknown) => void next()],
  ["does not go on", () => Promise.resolve()],
])("a hook around a run's code that %s is refused", async (_how, hook) => {
  const refusal = { message: expect.stringContaining("something else than next() gave") };
  const opened = (name: string) =>
    environment({ interceptors: [{ workflow: { [name]: hook } } as unknown as Interceptor] });

  const around = await (await opened("execute")).client.start(sums, { input: 0 });
  await expect(around.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: refusal });

  const env = await opened("handleUpdate");
  const run = await env.client.start(sums, { input: 1 });
  await expect(run.update(change, 1)).rejects.toMatchObject({ code: "UPDATE_FAILED", cause: refusal });
  const asked = await (await opened("handleQuery")).client.start(sums, { input: 1 });
  await expect(asked.query(total)).rejects.toMatchObject({ code: "QUERY_FAILED", ...refusal });
});

test.each(["execute", "handleUpdate", "handleQuery"])(
  "%s that goes on twice is refused: code runs once",
  async (name) => {
    const twice = (_: unknown, next: () => unknown) => [next(), next()][0];
    const env = await environment({ interceptors: [{ workflow: { [name]: twice } } as unknown as Interceptor] });
    const run = await env.client.start(sums, { input: 1 });
    const refusal = expect.objectContaining({ message: expect.stringContaining("called next() once more") });
    if (name === "execute") await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: refusal });
    else if (name === "handleUpdate")
      await expect(run.update(change, 1)).rejects.toMatchObject({ code: "UPDATE_FAILED", cause: refusal });
    else await expect(run.query(total)).rejects.toMatchObject(refusal);
  },
);

test("around a query it may only look", async () => {
  const asking: Interceptor = {
    workflow: {
      handleQuery: (_, next) => {
        void sleep("1s");
        return next();
      },
    },
  };
  const env = await environment({ interceptors: [asking] });
  const run = await env.client.start(sums, { input: 1 });
  await env.advance(0);
  await expect(run.query(total)).rejects.toMatchObject({
    code: "QUERY_FAILED",
    message: expect.stringContaining("may only look"),
  });
  await run.signal(add, 1);
  expect(await run.result()).toBe(1);
});

test("an interceptor may be an object of a class", async () => {
  class Counting {
    #count = 0;
    readonly step = this;
    execute<T>(_: unknown, next: () => Promise<T>): Promise<T> {
      this.#count++;
      return next();
    }
    get count() {
      return this.#count;
    }
  }
  const counting = new Counting();
  const env = await environment({ interceptors: [counting] });
  const run = await env.client.start(sums, { input: 0 });
  await run.result();
  expect(counting.count).toBe(1);
});

test.each([
  [{}, "a list of interceptors"],
  [[null], "objects with"],
  [[{ steps: {} }], 'got "steps"'],
  [[{ step: { exectue: () => {} } }], "one of execute() in `step`"],
  [[{ client: { start: 1 } }], "a function for `client.start`"],
  [[{ workflow: 1 }], "an object for `workflow`"],
])("%j is refused", async (interceptors, why) => {
  const opening = testEnvironment({ workflows: [sums], interceptors: interceptors as never });
  await expect(opening).rejects.toMatchObject({
    code: "CONFIGURATION_INVALID",
    message: expect.stringContaining(why),
  });
});
