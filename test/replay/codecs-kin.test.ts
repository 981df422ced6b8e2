// Codecs around runs that deal with other runs: nothing is stored plain, and what moves from run to run is read there.

import { expect, test } from "vitest";
import type { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import {
  condition,
  defineSignal,
  defineUpdate,
  executeChild,
  externalRun,
  PermanentError,
  step,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { allCodecs } from "../support/codecs.ts";
import { openHouse } from "../support/local-worker.ts";

const SECRET = "4111-1111-1111-1111";
const note = defineSignal<string>("note");
const add = defineUpdate<string, string>("add");

const child = workflow("child", async (card: string) => {
  if (card.endsWith("!")) throw new PermanentError(`no money on ${card}`);
  return step("pay", () => `paid by ${card}`);
});

/** Takes a note, then an update of the next run, then a note that was sent to the first. */
const chain = workflow("chain", async (got: string[]): Promise<string[]> => {
  if (got.length === 1) {
    let isTaken = false;
    add.handle((card) => {
      got.push(card);
      isTaken = true;
      return `got ${card}`;
    });
    await condition(() => isTaken);
  } else got.push(await note.receive());
  return got.length === 3 ? got : chain.continueAsNew(got);
});

const parent = workflow("parent", async (card: string) => {
  const paid = await executeChild(child, { input: card });
  const refused = await executeChild(child, { input: `${card}!` }).catch((error) => error.cause.message);
  await externalRun("chain").signal(note, `told ${card}`);
  return [paid, refused];
});

/** Says in its failure what it was given, and what it had from the attempt before. */
const again = workflow("again", async (card: string) => {
  const { attempt, lastFailure } = workflowInfo();
  if (attempt < 3) throw new Error(`attempt ${attempt} with ${card} after ${lastFailure?.message}`);
  return lastFailure?.message;
});

test("runs that deal with others, continue as new or are tried again keep their payloads to themselves", async () => {
  const kept: string[] = [];
  const watching = (store: MemoryStore): Store =>
    new Proxy(store, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return async (...given: unknown[]) => {
          kept.push(JSON.stringify([name, given.filter((value) => typeof value !== "function")]));
          const answer: unknown = await method.apply(target, given);
          kept.push(JSON.stringify([name, answer]) ?? "");
          return answer;
        };
      },
    });
  const house = openHouse({ codecs: allCodecs(), wrapStore: watching });
  const run = await house.client.start(chain, { id: "chain", input: [] });
  await run.signal(note, `first ${SECRET}`);
  const update = await run.update(add, SECRET, { waitFor: "stored", updateId: "u" });
  await house.startWorker([chain, child, parent, again]);
  const result = await (await house.client.start(parent, { input: SECRET })).result();
  expect(result).toEqual([`paid by ${SECRET}`, `no money on ${SECRET}!`]);
  expect(await update.result()).toBe(`got ${SECRET}`);
  expect(await run.result()).toEqual([`first ${SECRET}`, SECRET, `told ${SECRET}`]);
  const retry = { initialInterval: 1, maxInterval: 1 };
  const tried = await house.client.start(again, { id: "again", input: SECRET, retry });
  const first = `attempt 1 with ${SECRET} after undefined`;
  const second = `attempt 2 with ${SECRET} after ${first}`;
  expect(await tried.result()).toBe(second);
  expect((await tried.describe()).lastFailure?.message).toBe(second);
  const { runs } = await house.client.list({ workflowId: "again" });
  const ended = house.client.get(again, "again", runs.at(-1)?.runId).result({ followRuns: false });
  await expect(ended).rejects.toMatchObject({ code: "RUN_CONTINUED", cause: { message: first } });
  expect(kept.length).toBeGreaterThan(0);
  expect(kept.filter((line) => line.includes(SECRET))).toEqual([]);
});
