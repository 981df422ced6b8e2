// `npm run demo`: a report on 20,000 flights, made by two worker processes of which the busy one is killed in the middle.
// Ends with exit code 0 only if everything that the last lines claim was found to be so.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { isEverstepError, type RunHandle } from "everstep/client";
import { type Embedded, embedded } from "everstep/runtime";
import pg from "pg";
import { checkEverything } from "./checks.ts";
import { createTables } from "./executions.ts";
import { Screen } from "./screen.ts";
import { WorkerProcess } from "./worker-process.ts";
import { approve, delayReport, type Progress, progress } from "./workflow.ts";

const BATCH_SIZE = 500;
const KILL_AFTER = 15;
const TIME_LIMIT_MS = 110_000;

const screen = new Screen();
const folder = mkdtempSync(join(tmpdir(), "everstep-demo-"));
chmodSync(folder, 0o755); // when we are root, Postgres runs as another user, who must get there
const workers: WorkerProcess[] = [];
let everstep: Embedded | undefined;
let database: pg.Client | undefined;
let isEnding = false;

async function main(): Promise<boolean> {
  screen.say("starting a Postgres of our own, and two workers");
  everstep = await embedded({ dataDir: join(folder, "postgres"), logLevel: "error" });
  const { databaseUrl } = everstep;
  database = new pg.Client(databaseUrl);
  database.on("error", () => {}); // said by whatever uses it next
  await database.connect();
  await createTables(database);

  for (const name of ["worker 1", "worker 2"]) workers.push(new WorkerProcess(name, databaseUrl, folder));
  await Promise.all(workers.map((worker) => worker.whenReady()));
  for (const worker of workers) screen.say(`${worker.name} is ready (pid ${worker.pid})`);

  const run = await everstep.client.start(delayReport, {
    id: "flights-2001",
    input: { batchSize: BATCH_SIZE, lanes: 4, patience: "1 minute" },
  });
  screen.say(`run ${run.workflowId} is started: 20,000 flights, in batches of ${BATCH_SIZE}`);

  const { done, batches } = await watchUntil(run, ({ done }) => done >= KILL_AFTER);
  const killed = await ownerOf(run);
  const other = workers.find((worker) => worker !== killed) as WorkerProcess;
  await killed.end("SIGKILL");
  screen.say(`✗ ${killed.name} owns the run, and is killed with SIGKILL in mid-batch`);

  const killedAt = performance.now();
  while ((await run.describe()).ownerId !== other.workerId) {
    screen.showProgress(done, batches, "nobody works: its lease runs out");
    await pause(50);
  }
  const seconds = ((performance.now() - killedAt) / 1_000).toFixed(1);
  screen.say(`✓ ${other.name} took the run over after ${seconds} s, and goes on where it was`);

  await watchUntil(run, ({ phase }) => phase === "waiting for approval");
  screen.say("all batches are counted; the run waits for approval, a minute at most");
  await pause(1_000);
  await run.signal(approve, { by: "the demo" });
  screen.say("✓ approved; it sleeps until the hour of publication, then publishes");

  const result = await run.result();
  screen.closeBar();
  screen.say(`✓ completed: ${JSON.stringify(result)}`);

  const ending = await other.end("SIGTERM");
  const checks = [
    ...(await checkEverything({ run, database, batches, killedPid: killed.pid, otherPid: other.pid })),
    {
      claim: "The surviving worker ended well when told to stop",
      isTrue: ending === "0",
      found: `exit code ${ending}`,
    },
  ];
  console.log();
  for (const { claim, isTrue, found } of checks) console.log(`  ${isTrue ? "✓" : "✗ NOT TRUE:"} ${claim} (${found})`);
  return checks.every(({ isTrue }) => isTrue);
}

/** Asks the run itself, over and over, as a page that shows it would. */
async function watchUntil(run: RunHandle<unknown>, isThere: (progress: Progress) => boolean): Promise<Progress> {
  while (true) {
    const now = await askProgress(run);
    if (now !== undefined) screen.showProgress(now.done, now.batches || 1, now.phase);
    if (now !== undefined && isThere(now)) return now;
    await pause(100);
  }
}

async function askProgress(run: RunHandle<unknown>): Promise<Progress | undefined> {
  try {
    const now = await run.query(progress, undefined, { timeout: "1s" });
    return now.batches === 0 ? undefined : now;
  } catch (error) {
    if (isEverstepError(error) && error.retryable) return undefined; // nobody owns the run just now
    throw error;
  }
}

async function ownerOf(run: RunHandle<unknown>): Promise<WorkerProcess> {
  while (true) {
    const { ownerId } = await run.describe();
    const owner = workers.find(({ workerId }) => workerId === ownerId);
    if (owner !== undefined) return owner;
    await pause(50);
  }
}

async function cleanUp(isKept: boolean): Promise<void> {
  screen.closeBar();
  await Promise.all(workers.map((worker) => worker.end("SIGKILL")));
  await database?.end();
  await everstep?.stop();
  if (isKept) console.error(`The workers' logs and the data are kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

async function end(exitCode: number): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  await cleanUp(exitCode === 1);
  process.exit(exitCode);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end(130));
const limit = setTimeout(() => {
  console.error(`✗ The demo is not through after ${TIME_LIMIT_MS / 1_000} seconds.`);
  void end(1);
}, TIME_LIMIT_MS);

try {
  const isTrue = await main();
  clearTimeout(limit);
  console.log(isTrue ? "\nEverything held." : "\nNot everything held.");
  await end(isTrue ? 0 : 1);
} catch (error) {
  if (!isEnding) {
    screen.closeBar();
    console.error(error);
  }
  await end(1);
}
