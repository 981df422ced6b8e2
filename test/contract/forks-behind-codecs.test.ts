// Forks on Postgres through codecs: the contract of forks, and that what a fork has is its own, however large.

import { randomBytes, randomUUID } from "node:crypto";
import { encryption } from "everstep/codecs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { isEncoded } from "../../sdk/protocol/payload-encoded.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import { allCodecs, KEYS, MemoryBlobs } from "../support/codecs.ts";
import { createDatabase } from "../support/databases.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { forkingContract } from "./store/forking.ts";
import { forkingKinContract } from "./store/forking-kin.ts";
import {
  closingTurn,
  forkRequest,
  mailRequest,
  only,
  Stage,
  signalReceived,
  startRequest,
  stepCompleted,
  turnOf,
} from "./store/stage.ts";

const SECRET = randomBytes(400).toString("hex");
const quoted = JSON.stringify(SECRET);

describe("Postgres behind codecs", () => {
  const stage = new Stage();
  const blobs = new MemoryBlobs();
  let kept: Store;
  beforeAll(async () => {
    const { url } = await createDatabase();
    kept = openPostgresStore({ url }, { log: new RecordedLog() });
    const store = new CodecStore(kept, allCodecs(blobs), systemWorld());
    await stage.open(Promise.resolve({ store, close: () => store.close() }));
  });
  afterAll(() => stage.close());
  const historyOf = async (runId: string) => only(await stage.store.loadHistories([runId])).events;

  forkingContract(stage);
  forkingKinContract(stage);

  test("a fork has all that it shares when its source is gone, with its blobs", async () => {
    const failure = { kind: "application", message: SECRET, type: "Error", retryable: true } as const;
    const refusal: UpdateRefusal = { code: "UPDATE_REJECTED", message: SECRET, failure };
    const started = toRecord({
      type: "RunStarted",
      workflow: "order",
      input: quoted,
      seed: "5eed",
      continues: { previousRunId: "p", firstRunId: "f", retry: { attempt: 2, delayMs: 0, failure } },
    } as never);
    const run = await stage.owned({ started });
    await stage.send(run.runId, { mailId: "first", payload: quoted });
    await stage.send(run.runId, { kind: "update", mailId: "update:u", name: "add", payload: quoted });
    await stage.send(run.runId, { mailId: "second", payload: quoted });
    await stage.commit({
      ...turnOf(
        run,
        { takenMail: 3 },
        signalReceived(1, "first"),
        {
          type: "StepAttemptFailed",
          command: 1,
          name: "pay",
          attempt: 1,
          inputHash: null,
          failure,
          retryInMs: 5,
          heartbeat: quoted,
        } as never,
        stepCompleted(1, quoted),
        { ...signalReceived(3, "second"), payload: quoted } as never,
      ),
      refusals: [{ mail: 2, refusal }],
    });
    await stage.send(run.runId, { mailId: "kept", payload: quoted });
    await stage.commit(closingTurn(run, "failed", { base: 5, takenMail: 4 }));
    const before = await historyOf(run.runId);
    const request = forkRequest(run, { at: 5, takenMail: 3 });
    expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
    expect(blobs.of(run.runId).length).toBeGreaterThan(3);
    expect(await stage.store.deleteRuns([run.runId])).toEqual([run.runId]);
    expect(blobs.of(run.runId)).toEqual([]);
    expect((await historyOf(request.runId)).slice(0, 5)).toEqual(before.slice(0, 5));
    const mail = await stage.store.readMail([{ runId: request.runId, after: 0 }], 9);
    expect(mail.map(({ mail: place, mailId, payload }) => [place, mailId, payload])).toEqual([
      [1, "first", quoted],
      [2, "update:u", quoted],
      [3, "second", quoted],
      [4, "kept", quoted],
    ]);
    const look = { runId: request.runId, mailId: "update:u", after: 0 };
    expect(only(await stage.store.readUpdates([look])).refusal).toEqual(refusal);
    const raw = [
      await kept.readHistory(request.runId, 0, 9),
      await kept.readMail([{ runId: request.runId, after: 0 }], 9),
      await kept.readUpdates([look]),
    ];
    expect(JSON.stringify(raw)).not.toContain(SECRET);
  });

  test("signals that are sent while their run is put in its place again and again are all in the last one, in order", async () => {
    const start = startRequest();
    await stage.startAs(start);
    const { workflowId } = start;
    const accepted: string[] = [];
    let isOver = false;
    const sending = async () => {
      for (let nth = 1; !isOver; nth += 1) {
        const mailId = `signal ${nth}`;
        const [sent] = await stage.store.sendMail([mailRequest({ to: { workflowId }, mailId })]);
        if (sent?.outcome !== "accepted") throw new Error(`${mailId} is ${sent?.outcome}`);
        accepted.push(mailId);
      }
    };
    const resetting = async () => {
      let sourceId = start.runId;
      for (let resets = 0; resets < 8; resets += 1) {
        const request = forkRequest({ runId: sourceId }, { workflowId, terminates: "again" });
        expect(await stage.store.forkRun(request)).toEqual({ outcome: "forked", runId: request.runId });
        sourceId = request.runId;
      }
      isOver = true;
      return sourceId;
    };
    const [lastId] = await Promise.all([resetting(), sending()]);
    const mail = await stage.store.readMail([{ runId: lastId, after: 0 }], 10_000);
    expect(mail.map(({ mailId }) => mailId)).toEqual(accepted);
    expect(accepted.length).toBeGreaterThan(8);
    expect(new Set(mail.map(({ payload }) => payload))).toEqual(new Set(['{"by":"ann"}']));
  });

  test("a history of many megabytes is forked in pieces", async () => {
    const store = new CodecStore(kept, [encryption({ keys: KEYS, currentKeyId: "new" })], systemWorld());
    const start = startRequest();
    await store.startRuns([start]);
    const [run] = (
      await store.claimRuns({
        workerId: randomUUID(),
        claimId: randomUUID(),
        queues: [start.queue],
        limit: 1,
        suspects: "exclude",
      })
    ).claimed;
    if (run === undefined) throw new Error("the run is claimed");
    const large = (nth: number) => JSON.stringify(String(nth).repeat(1_500_000 + nth));
    for (let nth = 1; nth <= 9; nth += 1) {
      const { committed } = await store.appendTurns([turnOf(run, { base: nth }, stepCompleted(nth, large(nth)))]);
      expect(committed.size).toBe(1);
    }
    const request = forkRequest(run, { at: 10 });
    expect(await store.forkRun(request)).toMatchObject({ outcome: "forked" });
    const raw = await kept.readHistory(request.runId, 0, 20);
    expect(raw.map(({ payload }) => isEncoded(payload ?? "")).slice(0, 10)).toEqual(Array(10).fill(true));
    const { events } = only(await store.loadHistories([request.runId]));
    expect(events.slice(1, 10).map(({ payload }) => payload)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map(large));
    expect(events).toHaveLength(11);
  });
});
