// The front door's rules, in one place: what may be asked of runs, by subject. How a call survives a store that is away
// for a moment, and who is woken by it, is in each.

import type {
  Acting,
  BulkPlace,
  ClosedRun,
  ControlCall,
  CountCall,
  CountedGroup,
  Deed,
  ForkCall,
  ForkedRun,
  FrontDoor,
  ListCall,
  LocksCall,
  PruneCall,
  PrunedRuns,
  QueriedRuns,
  RepairCall,
  RunDescription,
  RunReference,
  SentUpdate,
  ShownEvent,
  SignalCall,
  StartCall,
  StartReply,
  StepReference,
  StepReportCall,
  UpdateCall,
  UpdateOutcome,
  UpdateStage,
  WorkflowVersions,
} from "../../sdk/client/front-door.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import type { ListedLock } from "../../sdk/protocol/listed-lock.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { PatchedRun, RunSummary } from "../../sdk/protocol/run.ts";
import type { VersionPolicy, VersionPolicyChange } from "../../sdk/protocol/version-policy.ts";
import type { WebhookCall } from "../../sdk/protocol/webhook.ts";
import type { Store } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { World } from "../world/world.ts";
import { Archive } from "./archive.ts";
import { Controlling } from "./controlling.ts";
import { Desk } from "./desk.ts";
import { LocalWorkers } from "./local-workers.ts";
import { Mailing } from "./mailing.ts";
import { Outcomes } from "./outcomes.ts";
import { Reading } from "./reading.ts";
import { Starting } from "./starting.ts";
import { Versions } from "./versions.ts";

export interface ServiceOptions {
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly world: World;
  /** How long a call is repeated while the store is away. Default 15,000. */
  readonly insistForMs?: number;
  /** How often to look for what nobody gave a hint of. Default 1,000. */
  readonly pollMs?: number;
  /** The workers of this process on the same store. Default: none. */
  readonly locals?: LocalWorkers;
}

export class Service implements FrontDoor {
  readonly #desk: Desk;
  readonly #starting: Starting;
  readonly #mailing: Mailing;
  readonly #controlling: Controlling;
  readonly #outcomes: Outcomes;
  readonly #reading: Reading;
  readonly #archive: Archive;
  readonly #versions: Versions;

  constructor(options: ServiceOptions) {
    const { store, wakeups, world, insistForMs = 15_000, pollMs = 1_000, locals = new LocalWorkers() } = options;
    const desk = new Desk({ store, wakeups, world, insistForMs, pollMs });
    // Workers here tell of outcomes, and are told of mail, in plain form: with codecs both go by way of the store.
    const told = desk.codecs === undefined ? locals : new LocalWorkers();
    this.#desk = desk;
    this.#versions = new Versions(desk);
    this.#starting = new Starting(desk, locals, this.#versions);
    this.#mailing = new Mailing(desk, told);
    this.#controlling = new Controlling(desk, this.#versions);
    this.#outcomes = new Outcomes(desk, told);
    this.#reading = new Reading(desk);
    this.#archive = new Archive(desk);
  }

  openBulk(bulkId?: string): BulkPlace {
    return this.#reading.openBulk(bulkId);
  }

  // ---------------------------------------------------------------- starting

  start(call: StartCall): Promise<StartReply> {
    return this.#starting.start(call);
  }

  startMany(calls: readonly StartCall[]): Promise<readonly StartReply[]> {
    return this.#starting.startMany(calls);
  }

  // ---------------------------------------------------------------- telling

  signal(to: RunReference, call: SignalCall): Promise<void> {
    return this.#mailing.signal(to, call);
  }

  sendUpdate(to: RunReference, call: UpdateCall): Promise<SentUpdate> {
    return this.#mailing.sendUpdate(to, call);
  }

  awaitUpdate(update: SentUpdate, stage: UpdateStage, timeoutMs: number | null): Promise<UpdateOutcome | null> {
    return this.#mailing.awaitUpdate(update, stage, timeoutMs);
  }

  reportStep(step: StepReference, report: StepReportCall): Promise<void> {
    return this.#mailing.reportStep(step, report);
  }

  deliverWebhook(token: string, call: WebhookCall): Promise<void> {
    return this.#mailing.deliverWebhook(token, call);
  }

  cancel(to: RunReference, reason: string, by?: Acting): Promise<void> {
    return this.#mailing.cancel(to, reason, by);
  }

  retryNow(to: RunReference, call: RepairCall): Promise<void> {
    return this.#mailing.cutWaits(to, "retryNow", call);
  }

  skipSleep(to: RunReference, call: RepairCall): Promise<void> {
    return this.#mailing.cutWaits(to, "skipSleep", call);
  }

  // ---------------------------------------------------------------- controlling

  terminate(to: RunReference, reason: string, by?: Acting): Promise<void> {
    return this.#controlling.terminate(to, reason, by);
  }

  pause(to: RunReference, reason: string, call?: ControlCall): Promise<void> {
    return this.#controlling.pause(to, reason, call);
  }

  resume(to: RunReference, call?: ControlCall): Promise<void> {
    return this.#controlling.resume(to, call);
  }

  unblock(to: RunReference, call?: ControlCall): Promise<void> {
    return this.#controlling.unblock(to, call);
  }

  move(to: RunReference, version: string | null, call?: ControlCall): Promise<void> {
    return this.#controlling.move(to, version, call);
  }

  fork(to: RunReference, call: ForkCall): Promise<ForkedRun> {
    return this.#controlling.fork(to, call);
  }

  async foresee(to: RunReference, deed: Deed): Promise<void> {
    switch (deed.do) {
      case "move":
        return this.#controlling.foreseeMove(to, deed.version);
      case "fork":
        return this.#controlling.foreseeFork(to, deed.call);
      default:
        return this.#mailing.foresee(to, deed);
    }
  }

  // ---------------------------------------------------------------- versions

  versions(workflow: string): Promise<WorkflowVersions> {
    return this.#versions.list(workflow);
  }

  setVersionPolicy(workflow: string, policy: VersionPolicy | null, by?: Acting): Promise<void> {
    return this.#versions.setPolicy(workflow, policy, by);
  }

  versionPolicyHistory(workflow: string, limit?: number): Promise<readonly VersionPolicyChange[]> {
    return this.#versions.policyHistory(workflow, limit);
  }

  // ---------------------------------------------------------------- reading

  outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun> {
    return this.#outcomes.outcome(to, timeoutMs, follows);
  }

  query(to: RunReference, name: string, input: Payload, timeoutMs: number, onlyIf?: QueriedRuns): Promise<Payload> {
    return this.#reading.query(to, { name, input, timeoutMs, onlyIf });
  }

  describe(to: RunReference): Promise<RunDescription> {
    return this.#reading.describe(to);
  }

  list(call: ListCall): Promise<{ runs: readonly RunSummary[]; next: string | null }> {
    return this.#reading.list(call);
  }

  count(call: CountCall): Promise<readonly CountedGroup[]> {
    return this.#reading.count(call);
  }

  locks(call: LocksCall): Promise<readonly ListedLock[]> {
    return this.#reading.locks(call);
  }

  listPatches(call: ListCall): Promise<{ runs: readonly PatchedRun[]; next: string | null }> {
    return this.#reading.listPatches(call);
  }

  history(to: RunReference): AsyncGenerator<ShownEvent> {
    return this.#reading.history(to);
  }

  // ---------------------------------------------------------------- whole runs

  exportRun(to: RunReference): Promise<HistoryFile> {
    return this.#archive.exportRun(to);
  }

  importRun(file: HistoryFile): Promise<{ runId: string; workflowId: string }> {
    return this.#archive.importRun(file);
  }

  prune(call: PruneCall): Promise<PrunedRuns> {
    return this.#archive.prune(call);
  }

  async close(): Promise<void> {
    this.#desk.close();
    this.#outcomes.close();
  }
}
