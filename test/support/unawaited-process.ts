// A process of its own for code that forgets an `await`: the test runner listens to unhandled rejections itself. Prints
// what becomes of each run, one JSON line at the end. With "looking-on" an interceptor looks on at all they ask for.

import { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import { catchUnhandledErrors } from "../../runtime/unhandled-errors.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  cancelScope,
  condition,
  defineSignal,
  nonCancellable,
  sleep,
  step,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
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

/** What waits for the end of a limit outside of the code's own calls: a condition whose predicate throws later. */
const doubtful = workflow("doubtful", async () => {
  let isLate = false;
  void condition(() => {
    if (isLate) throw new TypeError("nobody looks at this either");
    return false;
  });
  await step("turn", () => {});
  isLate = true;
  await sleep("1h");
});

const news = defineSignal("news");

/** Nobody awaits the signal of a scope that is canceled by the run's own cancellation. */
const hearing = workflow("hearing", async () => {
  void news.receive();
  try {
    await sleep("1h");
  } finally {
    await nonCancellable(() => step("undo", () => {}));
  }
});

/** The listeners are called by whoever tells the step to stop. */
const listening = workflow("listening", async () => {
  const options = { timeout: 20, retry: { maxAttempts: 1 } };
  await step(
    "slow",
    ({ signal }) => {
      void new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      signal.addEventListener("abort", () => {
        throw new TypeError("a listener throws");
      });
      return new Promise(() => {});
    },
    options,
  );
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
await startWorker([forgetful, careful, parting, overdue, doubtful, hearing, listening]);
const failed = await endOf(await client.start(forgetful));
const parted = await endOf(await client.start(parting));
const late = await endOf(await client.start(overdue));
const doubted = await endOf(await client.start(doubtful));
const listened = await endOf(await client.start(listening));
const deaf = await client.start(hearing);
await eventually("it waits", async () => (await typesOf(deaf)).includes("TimerStarted"));
await deaf.cancel("enough");
const heard = await endOf(deaf);
const run = await client.start(careful);
await eventually(
  "both timers run",
  async () => (await typesOf(run)).filter((type) => type === "TimerStarted").length === 2,
);
await run.cancel("enough");
const canceled = await endOf(run);
process.stdout.write(`${JSON.stringify({ failed, parted, late, doubted, listened, heard, canceled, undone })}\n`);
for (const close of closing.reverse()) await close();
stopCatching();
clearInterval(hold);
