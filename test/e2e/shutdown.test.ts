// A worker that is asked to stop finishes what it began, hands the rest over at once, and ends with exit code 0. The
// leases of these tests are far longer than the tests: nothing here is found by waiting for one.

import { expect, test } from "vitest";
import { startErrands } from "../support/errands.ts";
import { eventually } from "../support/eventually.ts";
import { setStage } from "../support/stage.ts";
import { endless, steady } from "./workers/shutdown.ts";

const DONE = { code: 0, signal: null };
const LONG_LEASE = { leaseTtlMs: 600_000 };

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s under load: steps end, runs go on elsewhere at once, no step runs twice",
  async (signal) => {
    const stage = await setStage();
    const { client, witness, worker } = stage;
    const leaving = await worker("shutdown.ts", LONG_LEASE);
    const runs = await client.startMany(steady, Array(50).fill({}));
    await eventually("every run has a step under way", () => witness.all("begun").length >= 50);
    const staying = await worker("shutdown.ts", LONG_LEASE);
    leaving.signal(signal);
    witness.open("one");
    expect(await leaving.ended).toEqual(DONE);

    const results = await Promise.all(runs.map((run) => run.result({ timeout: "60s" })));
    expect(new Set(results.flat())).toEqual(new Set([leaving.pid, staying.pid]));
    for (const what of ["begun", "ended"]) {
      const seen = witness.all(what).map(({ run, value }) => `${run} ${value}`);
      expect(new Set(seen).size).toBe(150);
      expect(seen).toHaveLength(150);
    }
    expect(await staying.stop()).toEqual(DONE);
  },
);

test("worker after worker is replaced under load, and no step runs twice", async () => {
  const stage = await setStage();
  const settings = { ...LONG_LEASE, maxRunsPerClaim: 10 };
  let oldest = await stage.worker("errand.ts", settings);
  const errands = await startErrands(stage, 150, { apartMs: 30 });
  for (let round = 0; round < 4; round++) {
    const next = await stage.worker("errand.ts", settings);
    expect(await oldest.stop()).toEqual(DONE);
    oldest = next;
  }
  await errands.expectDone("once");
  expect(await oldest.stop()).toEqual(DONE);
});

test.each([
  ["listen to their signal", true, "told to stop"],
  ["listen to nothing", false, "begun"],
])("steps that outlast the grace and %s are made anew elsewhere, as the same attempt", async (_, listens, progress) => {
  const { client, witness, worker } = await setStage();
  const leaving = await worker("shutdown.ts", { ...LONG_LEASE, shutdownGraceMs: 100 });
  const runs = await client.startMany(endless, Array(5).fill({ input: { listens } }));
  await eventually("the steps are under way", () => witness.all("begun").length === 5);
  const staying = await worker("shutdown.ts", LONG_LEASE, { EVERSTEP_TEST_IS_SUCCESSOR: "1" });
  const stopped = leaving.stop();
  const madeAnew = { attempt: 1, lastHeartbeat: progress };
  expect(await Promise.all(runs.map((run) => run.result({ timeout: "60s" })))).toEqual(runs.map(() => madeAnew));
  expect(witness.all("begun")).toHaveLength(10);
  // What a step left behind may keep its process; whoever runs it sends the second signal.
  if (!listens) leaving.signal("SIGKILL");
  else expect(await stopped).toEqual(DONE);
  expect(await staying.stop()).toEqual(DONE);
});

test("a second SIGINT ends the process at once, with exit code 130", async () => {
  const { client, witness, worker } = await setStage();
  const stubborn = await worker("shutdown.ts", { ...LONG_LEASE, shutdownGraceMs: 600_000 });
  await client.start(endless, { input: { listens: false } });
  await eventually("the step is under way", () => witness.all("begun").length === 1);
  stubborn.signal("SIGINT");
  await eventually("the worker is stopping", () =>
    stubborn.lines.some(({ message }) => String(message).startsWith("asked to stop: ")),
  );
  stubborn.signal("SIGINT");
  expect(await stubborn.ended).toEqual({ code: 130, signal: null });
});
