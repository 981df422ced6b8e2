// `everstep worker`: a worker for the workflows that the named files export, until SIGTERM or SIGINT.

import { Command } from "commander";
import { Worker } from "../worker.ts";
import { type DatabaseOption, databaseOption, requireDatabase } from "./database-option.ts";
import { importWorkflows } from "./workflow-files.ts";

interface WorkerOptions extends DatabaseOption {
  readonly redis?: string;
  readonly queue?: readonly string[];
}

export function workerCommand(): Command {
  return new Command("worker")
    .description("execute the workflows that files export, until told to stop")
    .argument("<files...>", "modules that export workflows")
    .addOption(databaseOption())
    .option("--redis <url>", "for leases and wake-ups; by default REDIS_URL, else Postgres does both")
    .option("--queue <name...>", "queues whose runs are claimed")
    .action(async (files: readonly string[], options: WorkerOptions) => {
      const { redis, queue } = options;
      const database = requireDatabase(options);
      const workflows = await importWorkflows(files);
      const worker = new Worker({ workflows, database, redis, ...(queue === undefined ? {} : { queues: queue }) });
      await worker.run();
    });
}
