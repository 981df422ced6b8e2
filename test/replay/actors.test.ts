// Who acts on runs: said once to a client or with a call, kept with what the call makes, and nowhere where it was not said.

import { beforeAll, expect, test } from "vitest";
import type { PayloadCodec } from "../../runtime/codecs/payload-codec.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { WorkflowClient } from "../../sdk/client/client.ts";
import type { FrontDoor } from "../../sdk/client/front-door.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { sleep, step, workflow } from "../../sdk/index.ts";
import { allCodecs } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

beforeAll(installGuards);

const acted = workflow("acted", async () => {
  await step("charge", ({ attempt }) => (attempt > 1 ? attempt : Promise.reject(new Error("down"))), {
    retry: { initialInterval: "1h", jitter: 0 },
  });
  await sleep("1 day");
  await step<string>("sign", ({ completeLater }) => completeLater(), { retry: { initialInterval: 1, maxInterval: 1 } });
  await sleep("2 days");
});

async function reaches(run: RunHandle, type: string, times = 1): Promise<void> {
  await eventually(`${times} ${type}`, async () => {
    return (await typesOf(run)).filter((each) => each === type).length === times;
  });
}

/** All that can be done to a run that goes on, each by the next of the actors, which are named with the calls. */
async function actOn(run: RunHandle, actors: readonly (string | undefined)[]): Promise<void> {
  let nth = 0;
  const next = () => ({ actor: actors[nth++ % actors.length] });
  await reaches(run, "StepAttemptFailed");
  await run.pause("lunch", next());
  await run.resume(next());
  await run.retryNow("charge", next());
  await reaches(run, "TimerStarted");
  await run.skipSleep(undefined, next());
  await reaches(run, "StepDeferred");
  await run.heartbeatStep("sign", "at it", next());
  await run.failStep("sign", new Error("no pen"), next());
  await reaches(run, "StepDeferred", 2);
  await run.completeStep("sign", "Ann", next());
  await reaches(run, "TimerStarted", 2);
  await run.cancel("enough", next());
  await run.result().catch(() => {});
}

/** Events of things that were done to the run, with who did them. */
async function deedsOf(run: RunHandle): Promise<[string, unknown][]> {
  const events = await historyOf(run);
  return events
    .filter((event) => "mail" in event || event.type === "RunForked" || event.type === "RunTerminated")
    .map((event) => [event.type, "actor" in event ? event.actor : "nobody"]);
}

const DEEDS = [
  "RunPaused",
  "RunResumed",
  "StepRetried",
  "TimerSkipped",
  "StepReported",
  "StepAttemptFailed",
  "StepCompleted",
  "CancelRequested",
];

const FORMS: readonly (readonly [string, readonly PayloadCodec[]])[] = [
  ["plain", []],
  ["encoded", allCodecs()],
];

test.each(FORMS)(
  "each call tells the history who made it, the client's actor where it does not say; payloads are %s",
  async (_, codecs) => {
    const house = openHouse({ codecs });
    await house.startWorker([acted]);
    const client = house.openClient(codecs, undefined, "deploy-bot");
    const run = await client.start(acted);
    await actOn(run, ["Ann", undefined]);
    expect(await deedsOf(run)).toEqual(DEEDS.map((type, nth) => [type, nth % 2 === 0 ? "Ann" : "deploy-bot"]));
    const history = await historyOf(run);
    expect((await replay(acted, history)).outcome?.type).toBe("canceled");
  },
);

test("where nobody is named nothing is kept, and the records are those of calls that never could name anybody", async () => {
  const house = openHouse();
  await house.startWorker([acted]);
  const run = await house.client.start(acted);
  await actOn(run, [undefined]);
  expect(await deedsOf(run)).toEqual(DEEDS.map((type) => [type, "nobody"]));
  const [history] = await house.store.loadHistories([run.runId ?? ""]);
  expect(history?.events.map(({ data }) => data).join()).not.toContain("actor");
});

test.each(FORMS)(
  "forks, resets, terminations and moves say who: the source's end, too; payloads are %s",
  async (_, codecs) => {
    const house = openHouse({ codecs });
    const client = house.openClient(codecs, undefined, "Ann");
    const moved = workflow("moved", () => sleep("1 day"), { version: "1.0.0" });
    const worker = await house.startWorker([moved, acted]);
    const run = await client.start(acted);
    await reaches(run, "StepAttemptFailed");
    await run.pause("lunch");
    await run.resume({ actor: "Carl" });
    await reaches(run, "RunResumed");
    const fork = await run.fork({ id: "beside", actor: "Bob" });
    const again = await fork.reset({ at: 1 });
    expect(await deedsOf(fork)).toContainEqual(["RunTerminated", "Ann"]);
    expect(await deedsOf(again)).toEqual([["RunForked", "Ann"]]);
    expect((await deedsOf(fork)).slice(0, 3)).toEqual([
      ["RunPaused", "Ann"],
      ["RunResumed", "Carl"],
      ["RunForked", "Bob"],
    ]);
    await again.terminate("enough", { actor: "Carl" });
    expect(await deedsOf(again)).toContainEqual(["RunTerminated", "Carl"]);

    const old = await client.start(moved);
    await reaches(old, "TimerStarted");
    await worker.stop(0);
    await old.moveTo(null, { actor: "Bob" });
    await old.moveTo("1.0.0");
    await house.startWorker([moved]);
    await eventually("both moves are told", async () => (await deedsOf(old)).length === 2);
    expect(await deedsOf(old)).toEqual([
      ["RunMoved", "Bob"],
      ["RunMoved", "Ann"],
    ]);
  },
);

test("a pause says who is behind it, and so does what people are told of the run", async () => {
  const { client } = openHouse();
  const run = await client.start(acted);
  await run.pause("lunch", { actor: "Ann" });
  const { paused, summary } = await run.describe();
  expect(paused).toMatchObject({ reason: "lunch", actor: "Ann" });
  expect(summary).toMatch(/^Paused since \S+ by Ann: lunch\.$/);
});

test("a bulk acts in the name that it was given, else in that of its client", async () => {
  const house = openHouse();
  const client = house.openClient([], undefined, "Ann");
  const runs = await client.startMany(acted, [{}, {}]);
  await client.bulk({ where: {}, actor: "Bob" }).pause();
  expect((await client.list()).runs.map(({ paused }) => paused?.actor)).toEqual(["Bob", "Bob"]);
  await client.bulk({ where: {} }).terminate();
  for (const run of runs) expect(await deedsOf(run)).toEqual([["RunTerminated", "Ann"]]);
});

test.each(["", "a\nb", "x".repeat(201), 7])(
  "what cannot be a name is refused, by client and by call: %j",
  async (actor) => {
    const refused = { code: "ARGUMENT_INVALID", details: { argument: "actor" } };
    const { client } = openHouse();
    const run = await client.start(acted);
    await expect(run.pause("lunch", { actor: actor as string })).rejects.toMatchObject(refused);
    expect((await client.list()).runs.map(({ paused }) => paused)).toEqual([null]);
    expect(() => new WorkflowClient({} as FrontDoor, [], actor as string)).toThrow(expect.objectContaining(refused));
  },
);
