// Schemas: what does not fit is refused at the door, and does no harm where it was stored all the same. Checked with the
// libraries that people use, and with what any other could do.

import { describe, expect, test } from "vitest";
import { defineQuery, defineSignal, defineUpdate, type StandardSchema, step, workflow } from "../../sdk/index.ts";
import { historyOf, openHouse } from "../support/local-worker.ts";
import { replay, runWorkflow } from "../support/replaying.ts";
import { SCHEMA_LIBRARIES } from "../support/schema-libraries.ts";

describe.each(Object.entries(SCHEMA_LIBRARIES))("schemas of %s", (_, schemas) => {
  const note = defineSignal("note", { schema: schemas.item });
  const add = defineUpdate("add", { input: schemas.item, output: schemas.total });
  const find = defineQuery("find", { input: schemas.wanted, output: schemas.count });
  const basket = workflow(
    "basket",
    async ({ owner, since }) => {
      const items = new Map<string, number>();
      find.handle(({ name }) => items.get(name) ?? 0);
      add.handle(({ name, count }) => {
        items.set(name, (items.get(name) ?? 0) + count);
        return items.get(name) ?? 0;
      });
      const { name, count } = await note.receive();
      return { owner, year: since.getUTCFullYear(), name, count };
    },
    { input: schemas.input },
  );

  const input = { owner: "ann", since: "2030-01-01T00:00:00Z" };

  test("what fits gets through, parsed for the code and stored as it was sent", async () => {
    const house = openHouse();
    await house.startWorker([basket]);
    const run = await house.client.start(basket, { input });
    expect(await run.update(add, { name: "lamp", count: "2" })).toBe(2);
    expect(await run.update(add, { name: "lamp" })).toBe(3);
    expect(await run.query(find, { name: "lamp" })).toBe(3);
    await run.signal(note, { name: "bye", count: "7" });
    expect(await run.result()).toEqual({ owner: "ann", year: 2030, name: "bye", count: 7 });
    const history = await historyOf(run);
    expect(history.flatMap((event) => ("input" in event ? event.input : []))).toEqual([
      JSON.stringify(input),
      '{"name":"lamp","count":"2"}',
      '{"name":"lamp"}',
    ]);
    expect((await replay(basket, history)).engine.broken).toBeUndefined();
  });

  test("what does not fit is refused at the door, naming the path, and nothing is stored", async () => {
    const house = openHouse();
    const bad = { code: "ARGUMENT_INVALID" };
    await expect(house.client.start(basket, { input: { owner: "ann", since: "soon" } })).rejects.toMatchObject({
      ...bad,
      message: expect.stringMatching(/^input of workflow "basket"\.since does not fit its schema: /),
    });
    expect((await house.client.list()).runs).toEqual([]);
    const run = await house.client.start(basket, { input });
    await expect(run.signal(note, { name: "" })).rejects.toMatchObject({
      ...bad,
      message: expect.stringMatching(/^payload of signal "note"\.name does not fit its schema: /),
    });
    await expect(run.update(add, { name: 1 as unknown as string })).rejects.toMatchObject({
      ...bad,
      details: { argument: 'input of update "add".name' },
    });
    await expect(run.query(find, {} as { name: string })).rejects.toMatchObject(bad);
    await expect(
      house.client.signalWithStart(basket, { input, signal: note, payload: { name: "" } }),
    ).rejects.toMatchObject(bad);
    await expect(
      house.client.updateWithStart(basket, { input, update: add, updateInput: { name: "" } }),
    ).rejects.toMatchObject(bad);
    expect((await run.describe()).unreadMail).toBe(0);
  });

  test("a signal that was stored all the same is left out with a warning, an update is rejected", async () => {
    const house = openHouse();
    await house.startWorker([basket]);
    const run = await house.client.start(basket, { input });
    await run.signal(defineSignal<object>("note"), { name: "" });
    const refused = run.update(defineUpdate<number, object>("add"), { name: "" });
    await expect(refused).rejects.toMatchObject({
      code: "UPDATE_REJECTED",
      message: expect.stringContaining('input of update "add".name does not fit its schema'),
    });
    await run.signal(note, { name: "fits" });
    expect(await run.result()).toMatchObject({ name: "fits", count: 1 });
    expect(house.log.lines.filter(({ level }) => level === "warn")).toMatchObject([
      { message: "a signal was left out", fields: { signal: "note" } },
    ]);
    expect((await replay(basket, await historyOf(run))).result).toMatchObject({ name: "fits" });
  });

  test("a handler is not called for what does not fit, and a waiting receiver goes on waiting in its time", async () => {
    const main = workflow("main", async () => {
      const got: unknown[] = [];
      const other = defineSignal("other", { schema: schemas.count });
      other.handle((n) => void got.push(n));
      got.push(await note.receive({ timeout: "1m" }));
      return got;
    });
    const run = await runWorkflow(main);
    await run.signals("other", "no number");
    await run.signals("other", 5);
    await run.signals("note", { name: 1 });
    expect(run.pending).toEqual(["1 timer receive note"]);
    await run.fires("receive note");
    expect(run.result).toEqual([5, undefined]);
    expect((await replay(main, run.history)).result).toEqual(run.result);
  });

  test("a run that was started with what does not fit fails visibly", async () => {
    const run = await runWorkflow(basket, { input: { owner: 1 } });
    expect(run.failure).toMatch(/^failed: EverstepError: input of workflow "basket"\.owner does not fit its schema/);
  });

  test("a result that does not fit fails the update, an answer that does not fit the query", async () => {
    const house = openHouse();
    await house.startWorker([basket]);
    const run = await house.client.start(basket, { input });
    await expect(run.update(add, { name: "lamp", count: "101" })).rejects.toMatchObject({
      code: "UPDATE_FAILED",
      message: expect.stringContaining('result of update "add" does not fit its schema'),
    });
    const odd = defineQuery("odd", { input: schemas.nothing, output: schemas.text });
    const main = workflow("main", async () => {
      odd.handle(() => 1 as unknown as string);
      await step("a", () => {});
    });
    const driven = await runWorkflow(main);
    expect(() => driven.engine.query("odd", null)).toThrow('answer of query "odd" does not fit its schema');
  });

  test("a path into a list is told with its place, as is how many more do not fit", async () => {
    const { client } = openHouse();
    const main = workflow("main", async () => {}, { input: schemas.rows });
    const rows = [{ id: 1 }, { id: "2" }] as { id: number }[];
    await expect(client.start(main, { input: { rows } })).rejects.toThrow(
      /^input of workflow "main"\.rows\[1\]\.id does not fit its schema: (?!.*more\)).*\.$/s,
    );
    const none = { rows: [{}, {}] } as { rows: { id: number }[] };
    await expect(client.start(main, { input: none })).rejects.toThrow(
      /^input of workflow "main"\.rows\[0\]\.id does not fit its schema: .* \(and 1 more\)\.$/s,
    );
  });

  test("a schema that decides later is refused, wherever it stands, and nothing is stored", async () => {
    const { client } = openHouse();
    const decides = { code: "ARGUMENT_INVALID", message: expect.stringContaining("must decide at once") };
    const main = workflow("main", async () => {}, { input: schemas.later });
    await expect(client.start(main, { input: "a" })).rejects.toMatchObject(decides);
    expect((await client.list()).runs).toEqual([]);
    const run = await client.start(basket, { input });
    await expect(run.signal(defineSignal("s", { schema: schemas.later }), "a")).rejects.toMatchObject(decides);
    await expect(run.update(defineUpdate("u", { input: schemas.later }), "a")).rejects.toMatchObject(decides);
    await expect(run.query(defineQuery("q", { input: schemas.later }), "a")).rejects.toMatchObject(decides);
    const started = await runWorkflow(main, { input: "a" });
    expect(started.failure).toMatch(/must decide at once/);
  });
});

const schemaOf = (validate: (value: unknown) => unknown): StandardSchema => ({
  "~standard": { version: 1, vendor: "a test", validate: validate as StandardSchema["~standard"]["validate"] },
});

test("paths of every kind are told, and issues without one", async () => {
  const { client } = openHouse();
  const main = workflow("main", async () => {}, {
    input: schemaOf(() => ({ issues: [{ message: "is odd", path: ["a", 0, { key: "b" }] }, { message: "so is it" }] })),
  });
  await expect(client.start(main, { input: 1 })).rejects.toThrow(
    'input of workflow "main".a[0].b does not fit its schema: is odd (and 1 more).',
  );
  const bare = workflow("bare", async () => {}, { input: schemaOf(() => ({ issues: [{ message: "is odd" }] })) });
  await expect(client.start(bare, { input: 1 })).rejects.toThrow(
    'input of workflow "bare" does not fit its schema: is odd.',
  );
});

test("schemas that decide later, and what is no schema, are refused", async () => {
  const { client } = openHouse();
  const later = workflow("later", async () => {}, { input: schemaOf(async (value) => ({ value })) });
  await expect(client.start(later, { input: 1 })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringContaining("must decide at once"),
  });
  const no = {} as StandardSchema;
  expect(() => defineSignal("s", { schema: no })).toThrow("takes a Standard Schema");
  expect(() => defineUpdate("u", { input: no })).toThrow("takes a Standard Schema");
  expect(() => defineQuery("q", { input: no })).toThrow("takes a Standard Schema");
  expect(() => workflow("w", async () => {}, { input: no })).toThrow("takes a Standard Schema");
});
