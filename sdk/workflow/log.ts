// A log that knows replay: a line is written the first time the code gets there, not each time it is replayed.

import { requireRun } from "./ambient.ts";

export interface WorkflowLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/**
 * Logs from workflow code, with the run's ids attached; silent while the run is replayed, except in query handlers.
 * After a worker died a line may be written twice: logs are not part of the history.
 *
 * Throws OUTSIDE_WORKFLOW where no run is; in steps use the `log` of the step's context.
 */
export const log: WorkflowLog = {
  debug: (message, fields) => requireRun("log.debug()").run.log.debug(message, fields),
  info: (message, fields) => requireRun("log.info()").run.log.info(message, fields),
  warn: (message, fields) => requireRun("log.warn()").run.log.warn(message, fields),
  error: (message, fields) => requireRun("log.error()").run.log.error(message, fields),
};
