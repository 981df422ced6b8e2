// Brings mail from the store to the live runs it is for. Woken by hints; a regular look is the net below them.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { MailItem } from "../store/mail.ts";
import type { WorkerStore } from "../store/store.ts";
import { Backoff } from "../world/backoff.ts";
import { Lookout } from "../world/lookout.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";

export interface MailCarrierOptions {
  readonly store: WorkerStore;
  readonly world: World;
  readonly pollMs: number;
  readonly workerId: () => string;
  readonly findRun: (runId: string) => LiveRun | undefined;
  readonly hasRuns: () => boolean;
}

const MAX_MAIL_PER_RUN = 500;

export class MailCarrier extends Lookout {
  readonly #options: MailCarrierOptions;
  #waiting = new Set<LiveRun>();
  #isScheduled = false;

  constructor(options: MailCarrierOptions) {
    super(options.world, options.pollMs);
    this.#options = options;
  }

  /** Reads the mail of one run, together with that of others asked for at the same moment. */
  fetch(run: LiveRun): void {
    this.#waiting.add(run);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.world.clock.afterDrain(() => {
      this.#isScheduled = false;
      const waiting = [...this.#waiting];
      this.#waiting = new Set();
      void this.#read(waiting);
    });
  }

  protected async look(): Promise<undefined> {
    const { store, world, workerId, findRun, hasRuns } = this.#options;
    if (!hasRuns()) return;
    try {
      for (const runId of await store.runsWithMail(workerId())) findRun(runId)?.wantMail();
    } catch (error) {
      world.log.debug({ error: String(error) }, "cannot look for mail, looking again later");
    }
  }

  async #read(waiting: readonly LiveRun[]): Promise<void> {
    const { store, world } = this.#options;
    const backoff = new Backoff(world.chance, { firstMs: 20, maxMs: 1_000 });
    let runs = waiting;
    while (runs.length > 0 && !this.stopping.aborted) {
      const asked = runs.filter(({ isOurs }) => isOurs).map((run) => ({ run, requests: run.mail.requests }));
      if (asked.length === 0) return;
      try {
        const boxes = asked.map(({ run }) => ({ runId: run.runId, after: run.mail.known }));
        const items = await store.readMail(boxes, MAX_MAIL_PER_RUN);
        runs = hand(asked, items);
      } catch (error) {
        // The mail of one run cannot be decoded now: the others need not wait for it.
        if (isEverstepError(error, "CODEC_FAILED") && asked.length > 1) {
          for (const { run } of asked) void this.#read([run]);
          return;
        }
        await pause(world.clock, backoff.next(), this.stopping);
      }
    }
  }
}

/** Gives each run its mail; answers the runs that want to be read again. */
function hand(asked: readonly { run: LiveRun; requests: number }[], items: readonly MailItem[]): LiveRun[] {
  const byRun = new Map<string, MailItem[]>();
  for (const item of items) {
    const list = byRun.get(item.runId);
    if (list === undefined) byRun.set(item.runId, [item]);
    else list.push(item);
  }
  return asked
    .filter(({ run, requests }) => {
      const mail = byRun.get(run.runId) ?? [];
      return run.mailArrived(mail, requests, mail.length >= MAX_MAIL_PER_RUN);
    })
    .map(({ run }) => run);
}
