// `everstep worker`: a worker for the workflows that the named files export, until SIGTERM or SIGINT.

import { Command } from "commander";
import { Worker } from "../worker.ts";
import { addCodecsOption, type CodecsOption, importCodecs } from "./codecs-option.ts";
import { type DatabaseOption, databaseOption, requireDatabase } from "./database-option.ts";
import { importWorkflows } from "./workflow-files.ts";

interface WorkerOptions extends DatabaseOption, CodecsOption {
  readonly redis?: string;
  readonly queue?: readonly string[];
}

export function workerCommand(): Command {
  const command = new Command("worker")
    .description("execute the workflows that files export, until told to stop")
    .argument("<files...>", "modules that export workflows")
    .addOption(databaseOption())
    .option("--redis <url>", "for leases and wake-ups; by default REDIS_URL, else Postgres does both")
    .option("--queue <name...>", "queues whose runs are claimed");
  return addCodecsOption(command).action(async (files: readonly string[], options: WorkerOptions) => {
    const { redis, queue } = options;
    const database = requireDatabase(options);
    const workflows = await importWorkflows(files);
    const codecs = await importCodecs(options);
    const queues = queue === undefined ? {} : { queues: queue };
    await new Worker({ workflows, database, redis, codecs, ...queues }).run();
  });
}
