// The front door of a test environment: time stands while a call is under way and passes while a result is waited for. A
// blocked run has no result to wait for: its code will not change within the test, so the reason is thrown.

import type {
  Acting,
  ControlCall,
  CountCall,
  Deed,
  ForkCall,
  FrontDoor,
  ListCall,
  LocksCall,
  PruneCall,
  QueriedRuns,
  RepairCall,
  RunReference,
  SentUpdate,
  ShownEvent,
  SignalCall,
  StartCall,
  StepReference,
  StepReportCall,
  UpdateCall,
  UpdateStage,
} from "../../sdk/client/front-door.ts";
import { type ErrorCode, EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { BlockedKind, BlockedReason } from "../../sdk/protocol/run.ts";
import type { VersionPolicy } from "../../sdk/protocol/version-policy.ts";
import type { WebhookCall } from "../../sdk/protocol/webhook.ts";
import type { Store } from "../store/store.ts";
import type { TimeSkipper } from "./time-skipper.ts";

const CODES: Readonly<Record<BlockedKind, ErrorCode>> = {
  divergence: "DIVERGENCE",
  unknownWorkflow: "WORKFLOW_UNKNOWN",
  unreadablePayload: "PAYLOAD_UNREADABLE",
  foreignWait: "FOREIGN_WAIT",
  quarantine: "RUN_STILL_OPEN",
};

export class TestDoor implements FrontDoor {
  readonly #door: FrontDoor;
  readonly #store: Store;
  readonly #time: TimeSkipper;
  readonly #waiting = new Map<string, Set<(error: Error) => void>>();

  constructor(door: FrontDoor, store: Store, time: TimeSkipper) {
    this.#door = door;
    this.#store = store;
    this.#time = time;
  }

  /** Tells those who wait for the run, or for one that it continues. */
  async blocked(runId: string, reason: BlockedReason): Promise<void> {
    const run = await this.#store.findRun({ runId });
    if (run === null) return;
    for (const reject of this.#waiting.get(run.workflowId) ?? []) reject(blockedError(runId, reason));
  }

  outcome(to: RunReference, timeoutMs: number | null, follows: boolean) {
    return this.#unlessBlocked(to, () => this.#door.outcome(to, timeoutMs, follows));
  }

  /** Whichever run of the workflow id is blocked meanwhile: it goes on where the one that was asked for continued as new. */
  #unlessBlocked<T>(to: RunReference, wait: () => Promise<T>): Promise<T> {
    return this.#time.during(async () => {
      const run = await this.#store.findRun(to);
      if (run === null) return wait();
      if (run.blocked !== null) throw blockedError(run.runId, run.blocked);
      const waiting = this.#waiting.get(run.workflowId) ?? new Set();
      this.#waiting.set(run.workflowId, waiting);
      let reject = (_error: Error): void => {};
      const blocked = new Promise<never>((_, rejectBlocked) => {
        reject = rejectBlocked;
        waiting.add(reject);
      });
      try {
        return await Promise.race([wait(), blocked]);
      } finally {
        waiting.delete(reject);
        if (waiting.size === 0) this.#waiting.delete(run.workflowId);
      }
    });
  }

  openBulk(bulkId?: string) {
    return this.#door.openBulk(bulkId);
  }

  start(call: StartCall) {
    return this.#time.hold(() => this.#door.start(call));
  }

  startMany(calls: readonly StartCall[]) {
    return this.#time.hold(() => this.#door.startMany(calls));
  }

  signal(to: RunReference, signal: SignalCall) {
    return this.#time.hold(() => this.#door.signal(to, signal));
  }

  sendUpdate(to: RunReference, update: UpdateCall) {
    return this.#time.hold(() => this.#door.sendUpdate(to, update));
  }

  async awaitUpdate(update: SentUpdate, stage: UpdateStage, timeoutMs: number | null) {
    return this.#unlessBlocked(update.to, () => this.#door.awaitUpdate(update, stage, timeoutMs));
  }

  // Answered before any time can pass; when nobody is there to answer, time has to pass to find that out.
  query(to: RunReference, name: string, input: Payload, timeoutMs: number, onlyIf?: QueriedRuns) {
    return this.#time.during(() => this.#door.query(to, name, input, timeoutMs, onlyIf));
  }

  describe(to: RunReference) {
    return this.#time.during(() => this.#door.describe(to));
  }

  // A token that is used before its body has handed off is waited with.
  reportStep(step: StepReference, report: StepReportCall) {
    return this.#time.during(() => this.#door.reportStep(step, report));
  }

  deliverWebhook(token: string, call: WebhookCall) {
    return this.#time.hold(() => this.#door.deliverWebhook(token, call));
  }

  cancel(to: RunReference, reason: string, by?: Acting) {
    return this.#time.hold(() => this.#door.cancel(to, reason, by));
  }

  terminate(to: RunReference, reason: string, by?: Acting) {
    return this.#time.hold(() => this.#door.terminate(to, reason, by));
  }

  pause(to: RunReference, reason: string, call?: ControlCall) {
    return this.#time.hold(() => this.#door.pause(to, reason, call));
  }

  resume(to: RunReference, call?: ControlCall) {
    return this.#time.hold(() => this.#door.resume(to, call));
  }

  unblock(to: RunReference, call?: ControlCall) {
    return this.#time.hold(() => this.#door.unblock(to, call));
  }

  retryNow(to: RunReference, call: RepairCall) {
    return this.#time.hold(() => this.#door.retryNow(to, call));
  }

  skipSleep(to: RunReference, call: RepairCall) {
    return this.#time.hold(() => this.#door.skipSleep(to, call));
  }

  move(to: RunReference, version: string | null, call?: ControlCall) {
    return this.#time.hold(() => this.#door.move(to, version, call));
  }

  versions(workflow: string) {
    return this.#time.hold(() => this.#door.versions(workflow));
  }

  setVersionPolicy(workflow: string, policy: VersionPolicy | null, by?: Acting) {
    return this.#time.hold(() => this.#door.setVersionPolicy(workflow, policy, by));
  }

  versionPolicyHistory(workflow: string, limit?: number) {
    return this.#time.hold(() => this.#door.versionPolicyHistory(workflow, limit));
  }

  fork(to: RunReference, call: ForkCall) {
    return this.#time.hold(() => this.#door.fork(to, call));
  }

  foresee(to: RunReference, deed: Deed) {
    return this.#time.during(() => this.#door.foresee(to, deed));
  }

  list(call: ListCall) {
    return this.#time.hold(() => this.#door.list(call));
  }

  listPatches(call: ListCall) {
    return this.#time.hold(() => this.#door.listPatches(call));
  }

  locks(call: LocksCall) {
    return this.#time.hold(() => this.#door.locks(call));
  }

  count(call: CountCall) {
    return this.#time.hold(() => this.#door.count(call));
  }

  exportRun(to: RunReference) {
    return this.#time.hold(() => this.#door.exportRun(to));
  }

  importRun(file: HistoryFile) {
    return this.#time.hold(() => this.#door.importRun(file));
  }

  prune(call: PruneCall) {
    return this.#time.hold(() => this.#door.prune(call));
  }

  history(to: RunReference): AsyncIterable<ShownEvent> {
    return this.#door.history(to);
  }

  close(): Promise<void> {
    return this.#door.close();
  }
}

function blockedError(runId: string, { kind, message }: BlockedReason): EverstepError {
  return new EverstepError(CODES[kind], message, { details: { runId, kind } });
}
