// Starts a worker in a process of its own, and talks with it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Usage, WorkerAssignment, WorkerMessage } from "./worker-main.ts";

const script = fileURLToPath(new URL("./worker-main.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

type MessageOf<Type extends WorkerMessage["type"]> = Extract<WorkerMessage, { readonly type: Type }>;

export interface WorkerProcess {
  /** It claims runs. */
  readonly ready: Promise<MessageOf<"ready">>;
  readonly firstStep: Promise<MessageOf<"firstStep">>;
  readonly ended: Promise<void>;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export function startWorkerProcess(assignment: WorkerAssignment): WorkerProcess {
  const child = spawn(process.execPath, ["--expose-gc", "--import", tsx, script, JSON.stringify(assignment)], {
    stdio: ["ignore", 2, 2, "ipc"],
  });
  const ended = once(child, "exit").then(() => {});
  const hear = <Type extends WorkerMessage["type"]>(type: Type): Promise<MessageOf<Type>> =>
    new Promise((resolve, reject) => {
      const listen = (message: unknown) => {
        if ((message as WorkerMessage).type !== type) return;
        child.off("message", listen);
        resolve(message as MessageOf<Type>);
      };
      child.on("message", listen);
      void ended.then(() => reject(new Error(`The worker process ended before it was ${type}.`)));
    });
  const ready = hear("ready");
  const firstStep = hear("firstStep");
  // A process that ends before somebody asks is no unhandled error.
  for (const promise of [ready, firstStep]) promise.catch(() => {});
  return {
    ready,
    firstStep,
    ended,
    async usage() {
      const answer = hear("usage");
      child.send("usage");
      return (await answer).usage;
    },
    async stop() {
      if (child.connected) child.send("stop");
      await ended;
    },
  };
}
