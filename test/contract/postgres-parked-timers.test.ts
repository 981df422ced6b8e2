// Beside owners of an earlier release, while a deploy is under way: they know nothing of the timers that runs are parked for.

import { expect, test } from "vitest";
import { uuidOf } from "../../runtime/store/postgres/run-id.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { openPostgresStage } from "./store/postgres-stage.ts";
import { stepCompleted, turnOf } from "./store/stage.ts";

/** What parking and claiming left as it was before runs were parked for timers. */
const FORGET =
  "update everstep.open_run o set (timer_at, timer_seq, timer_command, timer_name) = ($2, $3, $4, $5) where run_id = $1";

test("a timer whose place another event has taken is not fired, whoever claimed the run meanwhile", async () => {
  const { stage, other } = await openPostgresStage();
  const run = await stage.owned();
  const past = (await stage.now()) - 1_000;
  await stage.park(run, past, { command: 3, name: "payday" });
  const left = await other.query(
    "select timer_at, timer_seq, timer_command, timer_name from everstep.open_run where run_id = $1",
    [uuidOf(run.runId)],
  );
  const [{ timer_at, timer_seq, timer_command, timer_name }] = left.rows as [Record<string, unknown>];
  const claimed = await stage.claimOne(run.queue);
  expect(claimed).toMatchObject({ hasFired: true, events: 2 });
  await stage.commit(turnOf(claimed, {}, stepCompleted(4)));
  await stage.park({ ...claimed, events: 3 }, past);
  await other.query(FORGET, [uuidOf(run.runId), timer_at, timer_seq, timer_command, timer_name]);
  expect(await stage.claimOne(run.queue)).toMatchObject({ hasFired: false, events: 3 });
  const fired = (await stage.store.readHistory(run.runId, 0, 10)).filter(({ type }) => type === EVENT_CODES.TimerFired);
  expect(fired).toHaveLength(1);
});
