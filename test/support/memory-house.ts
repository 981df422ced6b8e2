// Everything between a client and a worker, in this process: the store, leases and wake-ups in memory, the real worker
// loop. Knows nothing of tests, so that scripts can use it; `local-worker.ts` is the same for a test.

import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import type { PayloadCodec } from "../../runtime/codecs/payload-codec.ts";
import { MemoryLeaseKeeper } from "../../runtime/lease/memory/memory-leases.ts";
import type { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import { Service } from "../../runtime/service/service.ts";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { type WorkerSettings, workerSettings } from "../../runtime/worker/settings.ts";
import { WorkerLoop } from "../../runtime/worker/worker-loop.ts";
import { systemChance, systemClock } from "../../runtime/world/system.ts";
import type { Clock, World } from "../../runtime/world/world.ts";
import { WorkflowClient } from "../../sdk/client/client.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { RecordedLog } from "./recorded-log.ts";

/** Looks often, so that what no hint announces is found soon as well. */
const BRISK: Partial<WorkerSettings> = { pollMs: 50, deadlineEveryMs: 20, unblockEveryMs: 20, heartbeatEveryMs: 10 };

export interface HouseOptions {
  readonly clock?: Clock;
  readonly leaseTtlMs?: number;
  /** Stands between the workers and the store. */
  readonly wrapStore?: (store: MemoryStore) => Store;
  /** What the payloads of the client, and of workers that are not given their own, go through. */
  readonly codecs?: readonly PayloadCodec[];
  /** Interceptors around the code of runs. */
  readonly hooks?: WorkflowHooks | undefined;
}

export interface House {
  readonly store: MemoryStore;
  readonly keeper: MemoryLeaseKeeper;
  readonly client: WorkflowClient;
  readonly world: World;
  readonly log: RecordedLog;
  startWorker(
    workflows: readonly AnyWorkflow[],
    settings?: Partial<WorkerSettings>,
    codecs?: readonly PayloadCodec[],
  ): Promise<WorkerLoop>;
  /** Another client, with codecs of its own, which acts as `actor`. */
  openClient(codecs: readonly PayloadCodec[], insistForMs?: number, actor?: string): WorkflowClient;
}

/** `atEnd` is given what closes each part. */
export function buildHouse(
  { clock = systemClock, leaseTtlMs = 6_000, wrapStore, codecs: shared = [], hooks }: HouseOptions,
  atEnd: (close: () => Promise<void>) => void,
): House {
  const log = new RecordedLog();
  const world: World = { clock, chance: systemChance, log };
  const store = new MemoryStore({ clock });
  const keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs: leaseTtlMs } });
  const bus = new MemoryWakeBus();
  const through = (codecs: readonly PayloadCodec[], kept: Store): Store =>
    codecs.length === 0 ? kept : new CodecStore(kept, codecs, world);
  const openClient = (codecs: readonly PayloadCodec[], insistForMs = 15_000, actor?: string) => {
    const wakeups = bus.open(world);
    const service = new Service({ store: through(codecs, store), wakeups, world, pollMs: 50, insistForMs });
    atEnd(() => service.close());
    return new WorkflowClient(service, [], actor);
  };
  return {
    store,
    keeper,
    client: openClient(shared),
    openClient,
    world,
    log,
    async startWorker(workflows, settings, codecs = shared) {
      const worker = new WorkerLoop({
        workflows,
        store: through(codecs, wrapStore?.(store) ?? store),
        leases: keeper.open(),
        wakeups: bus.open(world),
        world,
        hooks,
        settings: workerSettings({ ...BRISK, leaseTtlMs, ...settings }),
      });
      atEnd(() => worker.stop(0));
      await worker.start();
      return worker;
    },
  };
}

/** The whole history of a run, as it is kept. */
export async function historyOf(run: RunHandle): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  for await (const event of run.history()) events.push(event);
  return events;
}

/** The types of its events, which is often all that matters. */
export async function typesOf(run: RunHandle): Promise<string[]> {
  return (await historyOf(run)).map(({ type }) => type);
}
