// Entities through a real worker: one operation at a time, in the order in which they were stored, each with all of its
// effect on the state or none, whatever the run behind it goes through.

import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { crashEverywhere } from "../../runtime/testing/crash-everywhere.ts";
import { testEnvironment } from "../../runtime/testing/environment.ts";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { endEntity, entity, operation, PermanentError, sleep, step, tellEntity, workflow } from "../../sdk/index.ts";
import { seededRandom } from "../../sdk/protocol/random.ts";
import { eventually } from "../support/eventually.ts";
import { type House, openHouse, typesOf } from "../support/local-worker.ts";

interface Account {
  readonly owner: string;
  balance: number;
  readonly entries: string[];
}

const once = { retry: { maxAttempts: 1 } };

const account = entity("account", {
  initial: (key): Account => ({ owner: key, balance: 0, entries: [] }),
  operations: {
    book: async (state, entry: { text: string; amount: number }) => {
      state.entries.push(entry.text);
      const amount = await step("book", () => entry.amount, once);
      state.balance += amount;
      if (state.balance < 0) throw new PermanentError("not enough");
      return state.balance;
    },
    slowly: async (state, text: string) => {
      state.entries.push(`${text} begins`);
      await sleep("1h");
      state.entries.push(`${text} ends`);
      return state.entries.length;
    },
    keep: (state, bytes: string) => {
      state.balance += 1;
      return bytes.length;
    },
    spoil: (state) => {
      Object.assign(state, { spoiled: () => {} });
    },
    mute: (state) => {
      state.balance = 1_000;
      return () => {};
    },
    rename: operation(z.object({ to: z.string().trim() }), (state, { to }) => {
      state.entries.push(to);
      return to;
    }),
    close: (state, mayFail: boolean | undefined) => {
      endEntity();
      if (mayFail) throw new PermanentError("it stays open");
      return state.balance;
    },
  },
  views: {
    balance: (state) => state.balance,
    all: (state) => state,
    from: (state, start: number) => state.entries.slice(start),
    meddle: (state) => {
      state.entries.push("meddled");
      return state.entries.length;
    },
  },
});

/** So much waits for the run of Ann's account. */
async function stored({ store }: House, count: number): Promise<void> {
  const isThere = async () => (await store.findRun({ workflowId: "account/ann" }))?.unreadMail === count;
  await eventually(`${count} operations are stored`, isThere);
}

const entry = (text: string, amount = 1) => ({ text, amount });
const runOf = (client: WorkflowClient, key = "ann") => client.get(account.workflow, account.workflowId(key));

test("the first operation brings it into being; each is answered, and views see what completed", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  expect(await ann.all()).toEqual({ owner: "ann", balance: 0, entries: [] });
  expect(await ann.from(0)).toEqual([]);
  await expect(runOf(house.client).describe()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });

  expect(await ann.book(entry("a", 3))).toBe(3);
  expect(await ann.book(entry("b", 4))).toBe(7);
  expect(await ann.all()).toEqual({ owner: "ann", balance: 7, entries: ["a", "b"] });
  expect(await ann.from(1)).toEqual(["b"]);
  expect(await house.client.entity(account, "bob").balance()).toBe(0);
  expect(await runOf(house.client).describe()).toMatchObject({ workflow: "account", workflowId: "account/ann" });
});

test("operations that come together are performed one after the other, in the order in which they were stored", async () => {
  const house = openHouse();
  const worker = await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  await ann.book(entry("first"));
  await worker.stop(0);
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  const texts = Array.from({ length: 20 }, (_, index) => `entry ${index}`);
  const sent: Promise<unknown>[] = [];
  for (const [index, text] of texts.entries()) {
    sent.push(ann.book(entry(text)));
    await stored(house, index + 1);
  }
  await house.startWorker([account.workflow]);
  expect(await Promise.all(sent)).toEqual(texts.map((_, index) => index + 2));
  expect(await ann.from(1)).toEqual(texts);
  expect(warnings).toEqual([]);
});

test("while one is under way the next ones wait, and a view sees nothing of it", async () => {
  const env = await testEnvironment({ workflows: [account.workflow] });
  try {
    const ann = env.client.entity(account, "ann");
    await ann.book(entry("a"));
    const [first, second] = [ann.slowly("first"), ann.slowly("second")];
    await env.advance("30m");
    expect(await ann.from(0)).toEqual(["a"]);
    await env.advance("45m");
    expect(await ann.from(0)).toEqual(["a", "first begins", "first ends"]);
    expect(await Promise.all([first, second])).toEqual([3, 5]);
    expect(await ann.from(3)).toEqual(["second begins", "second ends"]);
  } finally {
    await env.stop();
  }
});

test("an operation that throws, or leaves what cannot be stored, has changed nothing; its caller gets the failure", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  await ann.book(entry("a", 3));
  await expect(ann.book(entry("b", -4))).rejects.toMatchObject({
    code: "UPDATE_FAILED",
    cause: expect.objectContaining({ message: "not enough" }),
  });
  await expect(ann.spoil()).rejects.toMatchObject({
    code: "UPDATE_FAILED",
    message: expect.stringContaining('entity "account" after operation "spoil".state.spoiled'),
  });
  await expect(ann.mute()).rejects.toMatchObject({ code: "UPDATE_FAILED" });
  await expect(ann.close(true)).rejects.toMatchObject({ code: "UPDATE_FAILED" });
  expect(await ann.meddle()).toBe(2);
  expect(await ann.all()).toEqual({ owner: "ann", balance: 3, entries: ["a"] });
  expect(await ann.book(entry("c"))).toBe(4);
});

test("inputs are held to their schema before they are sent, and given as the schema makes them", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  expect(await ann.rename({ to: " Anna " })).toBe("Anna");
  await expect(ann.rename({ to: 7 as never })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringContaining('input of operation "rename" of entity "account".to'),
  });
  // What another program has stored all the same.
  const raw = { kind: "update", name: "rename" } as never;
  await expect(runOf(house.client).update(raw, { to: 7 })).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  expect(await ann.from(0)).toEqual(["Anna"]);
});

test("an idle entity is parked, and goes on where it was", async () => {
  const house = openHouse();
  const worker = await house.startWorker([account.workflow], { lingerMs: 1 });
  const ann = house.client.entity(account, "ann");
  await ann.book(entry("a", 3));
  await eventually("parked", async () => {
    const { ownerId, wakeAt } = await runOf(house.client).describe();
    return worker.stats.liveRuns === 0 && ownerId === null && wakeAt === null;
  });
  expect(await ann.balance()).toBe(3);
  expect(await ann.book(entry("b"))).toBe(4);
});

test("the same operation id counts once, also in the next run, and after the end until it begins anew", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  const again = { operationId: "once" };
  expect(await Promise.all([ann.book(entry("a", 5), again), ann.book(entry("a", 5), again)])).toEqual([5, 5]);
  await continueOnce(ann);
  expect(await ann.book(entry("a", 5), again)).toBe(5);
  expect(await ann.from(0)).toEqual(["a"]);
  const last = { operationId: "last" };
  const balance = await ann.close(undefined, last);
  await runOf(house.client).result();
  expect(await ann.close(undefined, last)).toBe(balance);
  expect(await ann.book(entry("b"))).toBe(1);
  expect(await ann.book(entry("c", 5), again)).toBe(6);
});

const BIG = "x".repeat(1_000_000);

/** Until its history is so long that it continues as new. */
async function continueOnce(ann: { keep(bytes: string): Promise<number> }): Promise<void> {
  for (let count = 0; count < 5; count++) await ann.keep(BIG);
}

test("a long history continues as new between operations: what waits is performed by the next run, and answered", async () => {
  const house = openHouse();
  const worker = await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  const first = await ann.book(entry("a")).then(() => runOf(house.client).describe());
  await worker.stop(0);
  const sent = Array.from({ length: 24 }, (_, index) =>
    index % 3 === 0 ? ann.keep(BIG) : ann.book(entry(`${index}`)),
  );
  await stored(house, 24);
  await house.startWorker([account.workflow]);
  await Promise.all(sent);
  expect(await ann.balance()).toBe(25);
  expect(await ann.from(0)).toEqual(["a", ...Array.from({ length: 24 }, (_, n) => `${n}`).filter((n) => +n % 3 > 0)]);
  const { runs } = await house.client.list({ workflowId: "account/ann" });
  // Each performs at least as many as it passes on: so what waits is accepted again a few times only.
  expect(runs.length).toBeGreaterThan(1);
  expect(runs.length).toBeLessThanOrEqual(5);
  // Some had been accepted by the run before: they were not begun on there.
  const events = await typesOf(house.client.getUntyped("account/ann", first.runId));
  const count = (type: string) => events.filter((each) => each === type).length;
  expect(count("UpdateAccepted")).toBeGreaterThan(count("UpdateCompleted"));
});

test("an entity that ends is gone: its run completes, views see the beginning, the next operation begins anew", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  await ann.book(entry("a", 3));
  expect(await ann.close()).toBe(3);
  await runOf(house.client).result();
  expect(await ann.balance()).toBe(0);
  expect(await ann.book(entry("b", 2))).toBe(2);
  expect(await ann.from(0)).toEqual(["b"]);
  const { runs } = await house.client.list({ workflowId: "account/ann" });
  expect(runs.map(({ status }) => status)).toEqual(["running", "completed"]);
});

test("operations that race with ends: each is performed once, in one life or the next", async () => {
  const house = openHouse();
  await house.startWorker([account.workflow]);
  const random = seededRandom("ends");
  const ann = house.client.entity(account, "ann");
  const answers: { closed: boolean; balance: number }[] = [];
  const callers = Array.from({ length: 8 }, async () => {
    for (let count = 0; count < 12; count++) {
      const closed = random.float() < 0.25;
      answers.push({ closed, balance: await (closed ? ann.close() : ann.book(entry("x"))) });
    }
  });
  await Promise.all(callers);
  const booked = answers.filter(({ closed }) => !closed).length;
  const closings = answers.filter(({ closed }) => closed).map(({ balance }) => balance);
  expect(closings.reduce((sum, balance) => sum + balance, 0) + (await ann.balance())).toBe(booked);
});

test("canceling its run ends it: what is under way stops, what waits is answered, and it can begin anew", async () => {
  const env = await testEnvironment({ workflows: [account.workflow] });
  try {
    const ann = env.client.entity(account, "ann");
    await ann.book(entry("a"));
    const answers = Promise.allSettled([ann.slowly("first"), ann.book(entry("b"))]);
    await env.advance("10m");
    await runOf(env.client).cancel("enough");
    for (const answer of await answers) {
      expect(answer).toMatchObject({ status: "rejected", reason: { code: "UPDATE_FAILED" } });
      expect(answer).toMatchObject({ reason: { cause: { message: "enough" } } });
    }
    await expect(runOf(env.client).result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    expect(await ann.book(entry("c"))).toBe(1);
  } finally {
    await env.stop();
  }
});

test("a workflow tells an entity what to do, in order with all others; it is started if it is not there", async () => {
  const house = openHouse();
  const teller = workflow("teller", async () => {
    const ann = tellEntity(account, "ann");
    await ann.book(entry("told 1"));
    await ann.book(entry("told 2", -100));
    await ann.rename({ to: " told 3 " });
    await expect(ann.rename({ to: 4 as never })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  });
  await house.startWorker([account.workflow, teller]);
  await (await house.client.start(teller)).result();
  const ann = house.client.entity(account, "ann");
  expect(await ann.book(entry("sent"))).toBe(2);
  expect(await ann.from(0)).toEqual(["told 1", "told 3", "sent"]);
  expect(house.log.lines.filter(({ message }) => message.includes("has told an entity"))).toHaveLength(1);
  expect(await ann.close()).toBe(2);
  await runOf(house.client).result();
  await (await house.client.start(teller)).result();
  await eventually("told again", async () => (await ann.from(0)).length === 2);
});

test("what is told and what is sent keep the order of the mailbox, across runs", async () => {
  const house = openHouse();
  const worker = await house.startWorker([account.workflow]);
  const ann = house.client.entity(account, "ann");
  await ann.book(entry("a"));
  await worker.stop(0);
  const run = runOf(house.client);
  const sent: Promise<unknown>[] = [];
  for (let index = 0; index < 18; index++) {
    const tell = { name: "everstep.tell" } as never;
    if (index % 3 === 0) sent.push(ann.keep(BIG));
    else if (index % 3 === 1) sent.push(ann.book(entry(`${index}`)));
    else await run.signal(tell, { operation: "book", input: entry(`${index}`) });
    await stored(house, index + 1);
  }
  await house.startWorker([account.workflow]);
  await Promise.all(sent);
  await eventually("the last", async () => (await ann.balance()) === 19);
  expect(await ann.from(1)).toEqual(Array.from({ length: 18 }, (_, n) => `${n}`).filter((n) => +n % 3 > 0));
  expect((await house.client.list({ workflowId: "account/ann" })).runs.length).toBeGreaterThan(1);
});

test("no crash loses an operation, or changes what came of one", async () => {
  const driver = workflow("driver", async () => {
    const ann = tellEntity(account, "ann");
    await ann.book(entry("a"));
    await ann.book(entry("b", -9));
    await ann.book(entry("c", 2));
  });
  const report = await crashEverywhere(driver, { workflows: [account.workflow] });
  expect(report.crashes).toBe(report.places);

  const own = await crashEverywhere(account.workflow, {
    input: { key: "ann" },
    start: (env) => env.client.start(account.workflow, { id: "account/ann", input: { key: "ann" } }),
    script: async (_run, env) => {
      const ann = env.client.entity(account, "ann");
      const first = ann.book(entry("a", 4), { operationId: "1" });
      const second = ann.book(entry("b", -9), { operationId: "2" }).catch(() => "refused");
      const third = ann.slowly("c", { operationId: "3" });
      expect([await first, await second, await third]).toEqual([4, "refused", 3]);
      expect(await ann.close(undefined, { operationId: "4" })).toBe(4);
    },
  });
  expect(own.crashes).toBe(own.places);
  expect(own.places).toBeGreaterThan(8);
});

test("what cannot be an entity, a key or a place for its end is refused", async () => {
  const initial = () => ({ n: 0 });
  const operations = { add: (state: { n: number }) => ++state.n };
  const named = <Body>(name: string, body: Body) => ({ [name]: body });
  const bad = { code: "ARGUMENT_INVALID" };
  const refused = (make: () => unknown) => expect(make).toThrow(expect.objectContaining(bad));
  refused(() => entity("a/b", { initial, operations }));
  refused(() => entity("", { initial, operations }));
  refused(() => entity("a", { initial: 1 as never, operations: {} }));
  refused(() => entity("a", { initial, operations: { add: 1 as never } }));
  refused(() => entity("a", { initial, operations: named("then", operations.add) }));
  refused(() => entity("a", { initial, operations, views: { add: (state) => state.n } }));
  refused(() => entity("a", { initial, operations, views: { "everstep.x": (state) => state.n } }));
  refused(() => operation(1 as never, () => {}));
  refused(() => account.workflowId(""));
  refused(() => account.workflowId("x".repeat(995)));
  const house = openHouse();
  refused(() => house.client.entity(account, ""));
  expect(() => endEntity()).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
  const misplaced = workflow("misplaced", async () => endEntity());
  await house.startWorker([misplaced]);
  const run = await house.client.start(misplaced);
  await expect(run.result()).rejects.toMatchObject({ message: expect.stringContaining("no operation") });
});
