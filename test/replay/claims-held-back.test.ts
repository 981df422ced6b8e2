// A worker claims no more runs than keep its commits filled. What it holds back it claims as soon as there is room, on a clock that
// stands: nothing here can be the work of a regular look.

import { expect, test } from "vitest";
import { step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { withCalls } from "../support/store-calls.ts";

const RUNS = 60;
const PER_CLAIM = 4;

test("claims that were held back go on when commits are answered, and all runs end without another look", async () => {
  const claims: number[] = [];
  let open = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const house = openHouse({
    clock: new ManualClock(),
    wrapStore: (store) =>
      withCalls(store, {
        async appendTurns(turns) {
          await gate;
          return store.appendTurns(turns);
        },
        async claimRuns(request) {
          const answer = await store.claimRuns(request);
          claims.push(answer.claimed.length);
          return answer;
        },
      }),
  });
  const brief = workflow("brief", async () => {
    await step("one", () => {});
    return step("two", () => "done");
  });
  const started = await house.client.startMany(
    brief,
    Array.from({ length: RUNS }, () => ({})),
  );
  const worker = await house.startWorker([brief], { maxRunsPerClaim: PER_CLAIM, pollMs: 3_600_000 });

  // As many as the commits under way can take, and then no more: however long one waits, nothing is claimed.
  await eventually("claims are held back", () => claims.length >= 2);
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  const held = worker.stats.claimed;
  expect(held).toBeLessThanOrEqual(3 * PER_CLAIM);

  open();
  await eventually("all have ended", () => worker.stats.closed === RUNS);
  expect(claims.reduce((sum, each) => sum + each, 0)).toBe(RUNS);
  // They went on in good portions, not run by run.
  expect(claims.filter((each) => each > 0).length).toBeLessThanOrEqual(RUNS / (PER_CLAIM / 2));
  expect(await Promise.all(started.map((run) => run.result()))).toEqual(Array(RUNS).fill("done"));
});
