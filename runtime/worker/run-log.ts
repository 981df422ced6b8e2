// The log of a run's code: every line says which run it is of. One object for each run, and no more until there is a line.

import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { Log } from "../world/world.ts";

type Fields = Record<string, unknown>;
type LoggedRun = VersionKey & { readonly workflowId: string; readonly runId: string };

export class RunLog implements WorkflowLog {
  readonly #log: Log;
  readonly #run: LoggedRun;

  constructor(log: Log, run: LoggedRun) {
    this.#log = log;
    this.#run = run;
  }

  debug(message: string, fields?: Fields): void {
    this.#log.debug(this.#fieldsOf(fields), message);
  }

  info(message: string, fields?: Fields): void {
    this.#log.info(this.#fieldsOf(fields), message);
  }

  warn(message: string, fields?: Fields): void {
    this.#log.warn(this.#fieldsOf(fields), message);
  }

  error(message: string, fields?: Fields): void {
    this.#log.error(this.#fieldsOf(fields), message);
  }

  #fieldsOf(fields: Fields | undefined): Fields {
    const { workflowId, runId, workflow, version } = this.#run;
    return { workflowId, runId, workflow, ...(version === null ? {} : { version }), ...fields };
  }
}
