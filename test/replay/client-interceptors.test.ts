// The hook around every call of a client: what it is shown, in which order it is called, what it can refuse.

import {
  type ClientCall,
  createWebhook,
  defineQuery,
  defineSignal,
  defineUpdate,
  entity,
  type Interceptor,
  step,
  workflow,
} from "everstep";
import { type TestEnvironment, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import type { FrontDoor } from "../../sdk/client/front-door.ts";
import { interceptedDoor } from "../../sdk/client/intercepted-door.ts";

const go = defineSignal("go");
const change = defineUpdate<number, number>("change");
const look = defineQuery<string>("look");

const waiting = workflow("waiting", async () => {
  look.handle(() => "waiting");
  change.handle((n) => n);
  await go.receive();
  return step("work", () => "done");
});

const cart = entity("cart", {
  initial: () => [] as string[],
  operations: { add: (state, item: string) => void state.push(item) },
  views: { items: (state) => state },
});

const hooked = workflow("hooked", async () => {
  const hook = await createWebhook("payment");
  await step("tell", () => void tokens.push(hook.token));
  return (await hook.receive())?.body;
});
const tokens: string[] = [];

const handedOff = workflow("handedOff", async () =>
  step<string>("review", (context) => {
    tokens.push(context.token);
    return context.completeLater();
  }),
);

async function environment(interceptors: readonly Interceptor[]): Promise<TestEnvironment> {
  const workflows = [waiting, hooked, handedOff, cart.workflow];
  const env = await testEnvironment({ workflows, interceptors });
  onTestFinished(() => env.stop());
  return env;
}

/** Writes down each call that it stands around, and how it ended. */
function audit(): { readonly calls: ClientCall[]; readonly ends: string[]; readonly interceptor: Interceptor } {
  const calls: ClientCall[] = [];
  const ends: string[] = [];
  const interceptor: Interceptor = {
    client: {
      async call(call, next) {
        calls.push(call);
        try {
          const reply = await next();
          ends.push(`${call.operation}: done`);
          return reply;
        } catch (error) {
          ends.push(`${call.operation}: ${(error as { code?: string }).code}`);
          throw error;
        }
      },
    },
  };
  return { calls, ends, interceptor };
}

async function readAll(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

const of = (runId: string | undefined) => ({ runId, workflowId: undefined });

test("every call is shown with what it is about, whether it reads or changes something", async () => {
  const { calls, interceptor } = audit();
  const env = await environment([interceptor]);
  const taken = () => calls.splice(0);
  const reads = { isReading: true };
  const changes = { isReading: false };

  const run = await env.client.start(waiting, { id: "w", headers: { tenant: "acme" } });
  const to = of(run.runId);
  expect(taken()).toMatchObject([
    { operation: "start", workflow: "waiting", workflowId: "w", headers: { tenant: "acme" }, ...changes },
  ]);

  await run.pause("lunch", { actor: "Ann" });
  await run.resume();
  await run.unblock();
  await expect(run.retryNow("work", { requestId: "r1" })).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await expect(run.skipSleep(7)).rejects.toMatchObject({ code: "TIMER_NOT_WAITING" });
  await expect(run.moveTo("9.9.9")).rejects.toMatchObject({ code: "VERSION_UNKNOWN" });
  expect(taken()).toEqual([
    { operation: "pause", ...to, reason: "lunch", requestId: undefined, actor: "Ann", ...changes },
    { operation: "resume", ...to, requestId: undefined, ...changes },
    { operation: "unblock", ...to, requestId: undefined, ...changes },
    { operation: "retryNow", ...to, which: "work", requestId: "r1", ...changes },
    { operation: "skipSleep", ...to, which: 7, requestId: undefined, ...changes },
    { operation: "move", ...to, version: "9.9.9", requestId: undefined, ...changes },
  ]);

  await run.query(look);
  await run.update(change, 1, { updateId: "u1" });
  await run.describe();
  for await (const event of run.history()) if (event.type === "RunStarted") break;
  await run.export();
  expect(taken()).toEqual([
    { operation: "query", ...to, name: "look", onlyIf: undefined, ...reads },
    { operation: "update", ...to, name: "change", updateId: "u1", ...changes },
    { operation: "updateResult", ...to, name: "change", updateId: "u1", waitFor: "completed", ...reads },
    { operation: "describe", ...to, ...reads },
    { operation: "history", ...to, ...reads },
    { operation: "exportRun", ...to, ...reads },
  ]);

  const fork = await run.reset({ at: 1 });
  await fork.signal(go, undefined, { signalId: "s1" });
  await fork.result();
  const again = await fork.fork({ id: "w2" });
  await again.cancel("no more");
  await again.terminate("enough").catch(() => {});
  const forked = { ...to, at: undefined, beforeStep: undefined, id: undefined, replaces: false, bulkId: undefined };
  expect(taken()).toEqual([
    { operation: "fork", ...forked, at: 1, replaces: true, ...changes },
    { operation: "signal", ...of(fork.runId), name: "go", signalId: "s1", ...changes },
    { operation: "result", ...of(fork.runId), ...reads },
    { operation: "fork", ...forked, ...of(fork.runId), id: "w2", ...changes },
    { operation: "cancel", ...of(again.runId), reason: "no more", ...changes },
    { operation: "terminate", ...of(again.runId), reason: "enough", ...changes },
  ]);

  await env.client.list({ where: { workflow: "waiting" }, limit: 2 });
  await env.client.listPatches();
  await env.client.count();
  await env.client.countBy("status");
  await env.client.locks({ key: "k" });
  await env.client.versions(waiting);
  await env.client.setVersionPolicy(waiting, null, { actor: "Ann" });
  await env.client.versionPolicyHistory(waiting);
  await env.client.prune({ closedFor: "1 day", isDryRun: true });
  await env.client.importRun(null as never).catch(() => {});
  expect(taken()).toMatchObject([
    { operation: "list", filter: { workflow: "waiting" }, limit: 2, after: undefined, ...reads },
    { operation: "listPatches", filter: { status: expect.any(Array) }, ...reads },
    { operation: "count", by: null, ...reads },
    { operation: "count", by: "status", ...reads },
    { operation: "locks", key: "k", ...reads },
    { operation: "versions", workflow: "waiting", ...reads },
    { operation: "setVersionPolicy", workflow: "waiting", policy: null, actor: "Ann", ...changes },
    { operation: "versionPolicyHistory", workflow: "waiting", ...reads },
    { operation: "prune", workflow: undefined, closedForMs: 86_400_000, isDryRun: true, ...changes },
    { operation: "importRun", ...changes },
  ]);
});

test("what is done by a token is shown without it", async () => {
  const { calls, interceptor } = audit();
  const env = await environment([interceptor]);
  tokens.length = 0;
  await env.client.start(hooked);
  await env.client.start(handedOff, { id: "h" });
  await env.advance(0);
  const [webhook, review] = tokens[0]?.includes(".") ? tokens.toReversed() : tokens;
  calls.length = 0;
  await env.client.deliverWebhook(webhook as string, { body: "paid" }, { deliveryId: "d1" });
  await env.client.heartbeatStep(review as string);
  const byName = { runId: undefined, workflowId: "h" };
  await env.client.get(handedOff, "h").failStep("review", new Error("no"), { reportId: "f1" });
  await env.client.completeStep(review as string, "late").catch(() => {});
  const byToken = { runId: undefined, workflowId: undefined, step: undefined };
  expect(calls).toEqual([
    { operation: "deliverWebhook", deliveryId: "d1", isReading: false },
    { operation: "heartbeatStep", ...byToken, reportId: undefined, isReading: false },
    { operation: "failStep", ...byName, step: "review", reportId: "f1", isReading: false },
    { operation: "completeStep", ...byToken, reportId: undefined, isReading: false },
  ]);
  expect(JSON.stringify(calls)).not.toContain(review);
});

test("entities and bulks ask by the same calls, each run's by its own", async () => {
  const { calls, interceptor } = audit();
  const env = await environment([interceptor]);
  await env.client.entity(cart, "ann").add("book");
  await env.client.entity(cart, "ann").items();
  expect(calls.splice(0).map(({ operation }) => operation)).toEqual(["update", "start", "updateResult", "query"]);

  const [one, two] = await env.client.startMany(waiting, [{ id: "1" }, { id: "2" }]);
  calls.length = 0;
  const bulk = env.client.bulk({ where: { workflow: "waiting" }, concurrency: 1 });
  await bulk.pause("for all");
  const each = { operation: "pause", reason: "for all", requestId: bulk.bulkId, workflowId: undefined };
  expect(calls).toMatchObject([{ operation: "list" }, { ...each, runId: two?.runId }, { ...each, runId: one?.runId }]);
});

test("a dry run of a bulk asks for each run whether it could be done, and hears the answer", async () => {
  const { calls, interceptor } = audit();
  const env = await environment([interceptor]);
  const run = await env.client.start(waiting, { id: "1" });
  await env.advance(0);
  calls.length = 0;
  const bulk = (name: "fork" | "retryNow") => {
    const dry = env.client.bulk({ where: { workflow: "waiting", status: "running" }, isDryRun: true });
    return name === "fork" ? dry.reset({ at: 1 }) : dry.retryNow();
  };
  expect(await bulk("fork")).toMatchObject({ matched: 1, skipped: 0, failed: 0 });
  expect(await bulk("retryNow")).toMatchObject({ matched: 1, skipped: 1, failed: 0 });
  const foreseen = { operation: "foresee", ...of(run.runId), isReading: true };
  const listed = { operation: "list" };
  expect(calls).toMatchObject([listed, { ...foreseen, deed: "fork" }, listed, { ...foreseen, deed: "retryNow" }]);
});

test("the hook for all calls stands around the one for the call, interceptor by interceptor", async () => {
  const notes: string[] = [];
  const noting = (name: string): Interceptor => ({
    client: {
      call: (call, next) => {
        notes.push(`${name}: call ${call.operation} ${"headers" in call ? Object.keys(call.headers).join() : ""}`);
        return next();
      },
      start: (call, next) => {
        notes.push(`${name}: start`);
        return next({ headers: { ...call.headers, [name]: "1" } });
      },
      signal: (_, next) => {
        notes.push(`${name}: signal`);
        return next();
      },
    },
  });
  const env = await environment([noting("a"), noting("b")]);
  const run = await env.client.start(waiting);
  await run.signal(go);
  expect(notes).toEqual([
    ...["a: call start ", "a: start", "b: call start a", "b: start"],
    ...["a: call signal ", "a: signal", "b: call signal ", "b: signal"],
  ]);
});

test("what is refused is not asked for, and the caller gets what was thrown", async () => {
  const guard: Interceptor = {
    client: {
      call: (call, next) =>
        call.isReading || call.operation === "start" ? next() : Promise.reject(new Error("read only")),
    },
  };
  const env = await environment([guard]);
  const run = await env.client.start(waiting);
  await expect(run.pause()).rejects.toThrow("read only");
  await expect(run.terminate()).rejects.toThrow("read only");
  const report = await env.client.bulk({ where: {} }).cancel();
  expect(report.notDone).toMatchObject([{ outcome: "failed", message: "read only" }]);
  expect(await run.describe()).toMatchObject({ status: "running", paused: null });
});

test("a history is read within the hook, from the first event to the last that is taken", async () => {
  const { ends, interceptor } = audit();
  const env = await environment([interceptor]);
  const run = await env.client.start(waiting);
  ends.length = 0;
  const read: string[] = [];
  for await (const event of run.history()) {
    read.push(event.type);
    expect(ends).toEqual([]);
  }
  expect(read[0]).toBe("RunStarted");
  expect(ends).toEqual(["history: done"]);

  const left = run.history()[Symbol.asyncIterator]();
  await left.next();
  expect(ends).toHaveLength(1);
  await left.return?.();
  expect(ends).toHaveLength(2);

  await expect(readAll(env.client.getUntyped("nobody").history())).rejects.toMatchObject({
    code: "RUN_NOT_FOUND",
  });
  expect(ends.slice(2)).toEqual(["history: RUN_NOT_FOUND"]);
});

test.each([
  ["refuses", () => Promise.reject(new Error("not yours")), "not yours"],
  ["forgets to return", async (_: unknown, next: () => unknown) => void (await next()), "returned nothing"],
  ["does not go on", async () => ({ events: 0 }), "without going on"],
])("of a history nothing passes an interceptor that %s", async (_how, call, message) => {
  const env = await environment([]);
  await env.client.start(waiting, { id: "w" });
  const door = { history: () => env.client.get(waiting, "w").history() } as unknown as FrontDoor;
  const guarded = interceptedDoor(door, [{ client: { call } } as unknown as Interceptor]);
  await expect(readAll(guarded.history({ workflowId: "w" }))).rejects.toThrow(message);
});

test("nothing that a door does is without a hook", async () => {
  const asked: string[] = [];
  const names = Object.keys(interceptedDoor({} as FrontDoor, [{ client: { call: (_, next) => next() } }]));
  const door = Object.fromEntries(names.map((name) => [name, async () => asked.push(name)])) as unknown as FrontDoor;
  const refusing = interceptedDoor(door, [{ client: { call: () => Promise.reject(new Error("stop")) } }]);
  const run = { workflowId: "w" };
  const { openBulk, close, history, startMany, ...rest } = refusing;
  const given: Partial<Record<keyof FrontDoor, unknown[]>> = {
    awaitUpdate: [{ to: run }, "completed", null],
    reportStep: [{ to: run, step: "s" }, { outcome: "completed" }],
    deliverWebhook: ["token", {}],
  };
  for (const [name, method] of Object.entries(rest) as [keyof FrontDoor, (...args: unknown[]) => Promise<unknown>][]) {
    await expect(method(...(given[name] ?? [run, {}])), name).rejects.toThrow("stop");
  }
  await expect(startMany([{} as never])).rejects.toThrow("stop");
  await expect(readAll(history(run))).rejects.toThrow("stop");
  expect(asked).toEqual([]);
  expect([openBulk, close]).toHaveLength(2);
});
