// What `everstep check` prints, and whether the gate stays shut.

import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import type { CheckedHistory } from "../testing/check-histories.ts";
import { formatJson } from "./values.ts";

interface ReportOptions {
  readonly asJson: boolean;
  /** Runs of a workflow that the files do not export have other workers. */
  readonly isElsewhere: (workflow: string) => boolean;
  readonly allowsMissingVersions: boolean;
}

/** Code that histories need and the files do not export. */
interface MissingCode {
  /** As people say it. */
  readonly code: string;
  readonly workflow: string;
  readonly version: string | null;
  histories: number;
  /** Their workflow ids, as many as are shown. */
  readonly first: string[];
}

type Facts = Pick<CheckedHistory, "workflow" | "version" | "workflowId">;

const SHOWN = 5;

export class CheckReport {
  readonly #options: ReportOptions;
  readonly #missing = new Map<string, MissingCode>();
  #fit = 0;
  #differ = 0;
  #skipped = 0;
  #isRefused = false;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** Some history would be blocked, or wait for code that nobody is said to have. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Prints each difference as soon as it is found, what is missing at the end: as text, or as JSON, one a line. */
  async tell(checked: AsyncIterable<CheckedHistory>): Promise<void> {
    for await (const one of checked) this.#count(one);
    for (const { code, workflow, version, histories, first } of this.#missing.values()) {
      const runs = histories > first.length ? `first: ${first.join(", ")}` : first.join(", ");
      const text = `${code}: ${histories} ${histories === 1 ? "history needs" : "histories need"} this code, which the files do not export (${runs}).\n`;
      this.#print({ missing: code, workflow, version, histories, first }, text);
    }
  }

  summarize(workflows: readonly AnyWorkflow[]): void {
    const missing = [...this.#missing.values()].reduce((sum, { histories }) => sum + histories, 0);
    const counts = { fit: this.#fit, differ: this.#differ, missing, skipped: this.#skipped };
    const names = [...new Set(workflows.map(({ name }) => name))].sort().join(", ");
    const total = counts.fit + counts.differ;
    const parts = [
      `${total} ${total === 1 ? "history" : "histories"} checked (${names}): ${counts.fit} fit, ${counts.differ} differ.`,
      ...(missing === 0 ? [] : [`${missing} of code that is not there.`]),
      ...(counts.skipped === 0 ? [] : [`${counts.skipped} skipped, of other workflows.`]),
    ];
    this.#print(counts, parts.join(" "));
  }

  #count({ verdict, difference, ...run }: CheckedHistory): void {
    switch (verdict) {
      case "fits":
        this.#fit++;
        return;
      case "differs": {
        this.#differ++;
        this.#isRefused = true;
        const { code = "", message = "", details } = difference ?? {};
        this.#print({ ...run, code, message, details }, `${code}: ${message}\n`);
        return;
      }
      case "unknownVersion":
        if (!this.#options.allowsMissingVersions) this.#isRefused = true;
        this.#miss(run, `${run.workflow} ${run.version ?? "without a version"}`);
        return;
      case "unknownWorkflow":
        if (this.#options.isElsewhere(run.workflow)) this.#skipped++;
        else {
          this.#isRefused = true;
          this.#miss(run, run.workflow);
        }
    }
  }

  #miss({ workflow, version, workflowId }: Facts, code: string): void {
    const missing = this.#missing.get(code) ?? { code, workflow, version, histories: 0, first: [] };
    this.#missing.set(code, missing);
    missing.histories++;
    if (missing.first.length < SHOWN) missing.first.push(workflowId);
  }

  #print(asJson: object, asText: string): void {
    console.log(this.#options.asJson ? formatJson(asJson) : asText);
  }
}
