// A process of its own for code that forgets an `await`: the test runner listens to unhandled rejections itself. Prints
// what becomes of each run, one JSON line at the end. With "looking-on" an interceptor looks on at all they ask for.

import { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import { catchUnhandledErrors } from "../../runtime/unhandled-errors.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { cancelScope, nonCancellable, sleep, step, withTimeout, workflow } from "../../sdk/index.ts";
import { eventually } from "./eventually.ts";
import { lookingOn } from "./looking-on.ts";
import { buildHouse, typesOf } from "./memory-house.ts";

const undone: string[] = [];

const forgetful = workflow("forgetful", async () => {
  void step("doomed", () => Promise.reject(new TypeError("nobody looks")), { retry: { maxAttempts: 1 } });
  await sleep("1h");
});

/** Nobody awaits the deadline: when the run is canceled it rejects beside the clean-up, and must not end it. */
const careful = workflow("careful", async () => {
  void sleep("1 day").then(() => undone.push("expired"));
  try {
    await sleep("1h");
  } finally {
    await nonCancellable(async () => {
      await step("undo", () => undone.push("undone"));
      await sleep(20);
      await step("tell", () => undone.push("told"));
    });
  }
});

/** Nobody awaits the branch that the code itself cancels: it has stopped, as it was told to. */
const parting = workflow("parting", async () => {
  const scope = cancelScope();
  void scope.run(() => sleep("1h"));
  await step("work", () => {});
  scope.cancel("done without it");
  await step("more work", () => {});
});

/** A limit of time that passes is an error like any other, also when nobody looks. */
const overdue = workflow("overdue", async () => {
  void withTimeout(5, () => sleep("1h"));
  await sleep("1h");
});

const endOf = (run: RunHandle) =>
  run.result().then(
    () => "completed",
    ({ status, cause }) => `${status}: ${cause}`,
  );

const stopCatching = catchUnhandledErrors();
const closing: (() => Promise<void>)[] = [];
const hold = setInterval(() => {}, 1_000);
const hooks = process.argv.includes("looking-on") ? WorkflowHooks.of([lookingOn().interceptor.workflow]) : undefined;
const { client, startWorker } = buildHouse({ hooks }, (close) => void closing.push(close));
await startWorker([forgetful, careful, parting, overdue]);
const failed = await endOf(await client.start(forgetful));
const parted = await endOf(await client.start(parting));
const late = await endOf(await client.start(overdue));
const run = await client.start(careful);
await eventually(
  "both timers run",
  async () => (await typesOf(run)).filter((type) => type === "TimerStarted").length === 2,
);
await run.cancel("enough");
const canceled = await endOf(run);
process.stdout.write(`${JSON.stringify({ failed, parted, late, canceled, undone })}\n`);
for (const close of closing.reverse()) await close();
stopCatching();
clearInterval(hold);
