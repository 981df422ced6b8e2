// A worker in a process of its own, for what needs more than one or the death of one. Told what to do by its argument,
// asked for what it uses by messages; ends with its parent.

import { Worker } from "everstep/runtime";
import { now } from "./measure.ts";
import { steps, watched, watchSteps } from "./workflows.ts";

export interface WorkerAssignment {
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  /** Kills this process, as by SIGKILL, when the body of this step of `watched` begins. */
  readonly dieAtStep?: number;
}

export type WorkerMessage =
  | { readonly type: "ready"; readonly workerId: string; readonly at: number }
  /** The first body of a step of `watched` that this process runs. */
  | { readonly type: "firstStep"; readonly at: number }
  | { readonly type: "usage"; readonly usage: Usage };

export interface Usage {
  readonly rss: number;
  /** After a collection. */
  readonly heapUsed: number;
  /** CPU time of the process so far. */
  readonly cpuMs: number;
}

async function main({ databaseUrl, redisUrl, dieAtStep }: WorkerAssignment): Promise<void> {
  const tell = (message: WorkerMessage) => process.send?.(message);
  let isFirst = true;
  watchSteps((index) => {
    if (index === dieAtStep) process.kill(process.pid, "SIGKILL");
    if (isFirst) tell({ type: "firstStep", at: now() });
    isFirst = false;
  });
  const worker = new Worker({
    workflows: [steps, watched],
    database: databaseUrl,
    redis: redisUrl ?? "",
    logLevel: "error",
  });
  await worker.start();
  tell({ type: "ready", workerId: worker.stats.workerId, at: now() });
  process.on("message", (question) => {
    if (question === "usage") tell({ type: "usage", usage: usage() });
    else void worker.stop().then(() => process.exit(0));
  });
  process.on("disconnect", () => process.exit(1));
}

function usage(): Usage {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rss, heapUsed, cpuMs: (user + system) / 1000 };
}

await main(JSON.parse(process.argv[2] ?? "{}") as WorkerAssignment);
