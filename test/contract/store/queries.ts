// Queries: a question goes to the run's owner, or to anybody when nobody owns it, and its answer is collected once.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { QueryAnswer, QueryRequest } from "../../../runtime/store/questions.ts";
import { newId, newRunId, only, type Stage } from "./stage.ts";

export function queriesContract(stage: Stage): void {
  describe("queries", () => {
    async function ask(run: { readonly runId: string; readonly queue: string }): Promise<QueryRequest> {
      const { runId, queue } = run;
      const question = { queryId: randomUUID(), runId, queue, name: "status", input: '{"deep":true}' };
      await stage.store.askQuery(question);
      return question;
    }

    const answer: QueryAnswer = { ok: true, payload: '"charged"' };

    test("a question about an owned run goes to its owner alone", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      const question = await ask(run);
      expect(await stage.store.takeQueries(randomUUID(), [run.queue], 10)).toEqual([]);
      expect(await stage.store.takeQueries(workerId, [run.queue], 10)).toEqual([{ ...question, ownerId: workerId }]);
    });

    test.each([
      [
        "parked",
        async () => {
          const run = await stage.owned();
          await stage.park(run);
          return run;
        },
      ],
      ["blocked", () => stage.blocked()],
      ["closed", () => stage.closed("completed")],
    ] as const)("a question about a %s run goes to whoever takes it", async (_, arrange) => {
      const run = await arrange();
      const question = await ask(run);
      expect(await stage.store.takeQueries(randomUUID(), [run.queue], 10)).toEqual([{ ...question, ownerId: null }]);
    });

    test("a question is taken once", async () => {
      const run = await stage.closed("completed");
      const { queryId } = await ask(run);
      const takes = Array.from({ length: 6 }, () => stage.store.takeQueries(randomUUID(), [run.queue], 10));
      expect(only((await Promise.all(takes)).flat()).queryId).toBe(queryId);
    });

    test("questions are taken by queue, up to a limit", async () => {
      const run = await stage.closed("completed");
      const other = await stage.closed("completed");
      const asked = [await ask(run), await ask(run), await ask(run)].map(({ queryId }) => queryId);
      await ask(other);
      const workerId = randomUUID();
      expect(await stage.store.takeQueries(workerId, [newId("queue")], 10)).toEqual([]);
      const first = await stage.store.takeQueries(workerId, [run.queue], 2);
      const rest = await stage.store.takeQueries(workerId, [run.queue, newId("queue")], 2);
      expect(first).toHaveLength(2);
      expect(new Set([...first, ...rest].map(({ queryId }) => queryId))).toEqual(new Set(asked));
      expect(rest).toHaveLength(1);
    });

    test("the owner of later is the one to take a question of before", async () => {
      const run = await stage.owned();
      await stage.park(run, 0);
      const question = await ask(run);
      const workerId = randomUUID();
      await stage.claimOne(run.queue, { workerId });
      expect(await stage.store.takeQueries(randomUUID(), [run.queue], 10)).toEqual([]);
      expect(only(await stage.store.takeQueries(workerId, [run.queue], 10))).toEqual({
        ...question,
        ownerId: workerId,
      });
    });

    test.each<[string, QueryAnswer]>([
      ["a value", answer],
      ["nothing", { ok: true, payload: null }],
      ["the value null", { ok: true, payload: "null" }],
      ["a failure", { ok: false, code: "QUERY_FAILED", message: 'handler threw: "no such\nitem"' }],
      ["an unknown name", { ok: false, code: "QUERY_UNKNOWN", message: "no handler" }],
    ])("an answer with %s is collected once", async (_, said) => {
      const run = await stage.closed("completed");
      const { queryId } = await ask(run);
      expect(await stage.store.takeAnswer(queryId)).toBeNull();
      await stage.store.takeQueries(randomUUID(), [run.queue], 10);
      expect(await stage.store.takeAnswer(queryId)).toBeNull();
      await stage.store.answerQueries([{ queryId, answer: said }]);
      expect(await stage.store.takeAnswer(queryId)).toEqual(said);
      expect(await stage.store.takeAnswer(queryId)).toBeNull();
    });

    test("answers nobody asked for, or asked for no more, do no harm", async () => {
      const run = await stage.closed("completed");
      const { queryId } = await ask(run);
      await stage.store.answerQueries([]);
      await stage.store.answerQueries([
        { queryId: randomUUID(), answer },
        { queryId, answer },
      ]);
      expect(await stage.store.takeAnswer(queryId)).toEqual(answer);
      await stage.store.answerQueries([{ queryId, answer }]);
      expect(await stage.store.takeAnswer(queryId)).toBeNull();
      expect(await stage.store.takeAnswer(randomUUID())).toBeNull();
    });

    test("a question leaves no trace in the run", async () => {
      const run = await stage.owned();
      const before = await stage.store.findRun({ runId: run.runId });
      await ask(run);
      expect({ ...(await stage.store.findRun({ runId: run.runId })), now: 0 }).toEqual({ ...before, now: 0 });
      expect(await stage.store.readHistory(run.runId, 0, 10)).toHaveLength(1);
    });

    test("a question about no run waits for nobody", async () => {
      const queue = newId("queue");
      await ask({ runId: newRunId(), queue });
      expect(await stage.store.takeQueries(randomUUID(), [queue], 10)).toEqual([]);
    });

    test("forgetting leftovers keeps the questions of now", async () => {
      const run = await stage.closed("completed");
      const { queryId } = await ask(run);
      await stage.store.forgetLeftovers();
      expect(only(await stage.store.takeQueries(randomUUID(), [run.queue], 10)).queryId).toBe(queryId);
    });
  });
}
