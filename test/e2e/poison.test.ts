// Runs that kill their workers, as long as something like an orchestrator starts the workers again: they are set aside
// and say so, and nobody else suffers for long.

import { defineQuery } from "everstep";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type Stage, setStage } from "../support/stage.ts";
import { abortsInCode, abortsInStep, neighbour, spins } from "./workers/poison.ts";

const DONE = { code: 0, signal: null };
const NEIGHBOURS = 50;

interface Restarting {
  /** How the processes ended so far. */
  readonly ends: string[];
  /** The process that runs in the end. */
  readonly stop: () => Promise<unknown>;
}

/** A worker process that is started again whenever it ends by itself. */
function restartWorker({ spawn }: Stage): Restarting {
  const ends: string[] = [];
  let isWanted = true;
  let current = spawn("poison.ts", { leaseTtlMs: 750 });
  const again = async (): Promise<void> => {
    while (isWanted) {
      const { code, signal } = await current.ended;
      if (!isWanted) return;
      ends.push(String(signal ?? code));
      current = spawn("poison.ts", { leaseTtlMs: 750 });
    }
  };
  const running = again();
  onTestFinished(() => {
    isWanted = false;
  });
  return {
    ends,
    async stop() {
      isWanted = false;
      const end = await current.stop();
      await running;
      return end;
    },
  };
}

test.each([
  // The second of them got it one step further: it committed the step before it showed its end to the code.
  ["its code", abortsInCode, 7],
  ["a step of it", abortsInStep, 5],
])(
  "a run that ends the process in %s is set aside after five in vain, and its neighbours finish",
  async (_, poison, crashes) => {
    const stage = await setStage();
    const { client } = stage;
    const workers = restartWorker(stage);
    const [bad, ...good] = await Promise.all([
      client.start(poison, { id: "poison" }),
      ...Array.from({ length: NEIGHBOURS }, (_, index) => client.start(neighbour, { input: index })),
    ]);
    const described = await eventually(
      "the run is set aside",
      async () => {
        const description = await bad.describe();
        if (description.status !== "blocked") throw new Error(description.summary);
        return description;
      },
      { withinMs: 50_000, everyMs: 100 },
    );
    expect(described.blocked).toMatchObject({ kind: "quarantine" });
    expect(described.crashCount).toBe(5);
    expect(described.summary).toMatch(/^Blocked \(quarantine\): 5 workers claimed this run/);
    await expect(bad.query(defineQuery<string>("anything"))).rejects.toMatchObject({
      code: "QUERY_FAILED",
      message: expect.stringContaining("poison is not replayed to answer: 5 workers"),
    });
    expect(await Promise.all(good.map((run) => run.result()))).toEqual(good.map((_, index) => index));
    expect(workers.ends).toEqual(Array(crashes).fill("SIGABRT"));
    expect(await workers.stop()).toEqual(DONE);
  },
);

test("an endless loop in workflow code is reported and ends the process; other runs go on elsewhere", async () => {
  const { client, witness, worker } = await setStage();
  const watched = await worker("poison.ts", { watchdog: { reportAfterMs: 1_000, endAfterMs: 2_500 } });
  const good = await client.startMany(
    neighbour,
    Array.from({ length: 20 }, (_, input) => ({ input })),
  );
  await eventually("the neighbours are under way", () => witness.all("first").length === 20);
  const bad = await client.start(spins, { id: "spinner" });
  await eventually("the loop is reached", () => witness.all("before").length === 1);
  expect(await watched.ended).toEqual({ code: null, signal: "SIGKILL" });
  const reports = watched.lines.filter(({ blockedMs }) => blockedMs !== undefined);
  expect(reports.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^the event loop is blocked/),
    expect.stringMatching(/^the event loop is still blocked: ending the process/),
  ]);
  expect(reports[0]).toMatchObject({ level: "error", workflowId: "spinner", runId: bad.runId });
  expect(reports[0]?.code).toMatch(/poison\.ts:\d+$/);

  const next = await worker("poison.ts", {}, { EVERSTEP_TEST_IS_FIXED: "1" });
  expect(await Promise.all(good.map((run) => run.result()))).toEqual(good.map((_, index) => index));
  expect(await bad.result()).toBe("fixed");
  expect(await next.stop()).toEqual(DONE);
});
