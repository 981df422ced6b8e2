// What the ambient context and the guarded globals cost, by CPU time of the same throughput with and without them, in
// turn, in one process. Without guards, the globals are what they were when this module was loaded, before any worker.
// Without the ambient context, a plain variable stands in for AsyncLocalStorage, whose hooks on promises are then off;
// the workflow, which knows itself, puts its own run into that variable before each step.

import type { AsyncLocalStorage } from "node:async_hooks";
import crypto from "node:crypto";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import timers from "node:timers";
import timersPromises from "node:timers/promises";
import { step, workflow } from "everstep";
import { Client } from "everstep/client";
import { migrate, Worker } from "everstep/runtime";
import { memoryInUse, round } from "../measure.ts";
import type { OwnScenario } from "../scenario.ts";

const ROUNDS = 6;
const RUNS = 2_000;
const STEPS = 5;
const MOST_PERCENT = 5;
const TEXT = "x".repeat(80);

const OWNERS: readonly object[] = [
  globalThis,
  Date.prototype,
  Math,
  performance,
  crypto,
  crypto.webcrypto,
  timers,
  timersPromises,
  fs,
  fs.promises,
  net.Socket.prototype,
];
const REAL = OWNERS.map((owner) => Object.getOwnPropertyDescriptors(owner));

const storageKey = Symbol.for("everstep.ambient.v1");
let adopt: () => () => void = () => () => {};

const adoptingSteps = workflow("adoptingSteps", async (count: number) => {
  const restore = adopt();
  for (let index = 0; index < count; index++) {
    restore();
    await step("step", () => ({ value: index, text: TEXT }));
  }
});

type Mode = "neither" | "context" | "both";
const MODES: readonly Mode[] = ["neither", "context", "both"];

export const guards: OwnScenario = {
  name: "guards",
  title: "CPU that the ambient context and the guarded globals take",
  async run({ databaseUrl, redisUrl }) {
    const connection = { database: databaseUrl, redis: redisUrl ?? "", logLevel: "error" as const };
    await migrate({ url: databaseUrl });
    const worker = new Worker({ workflows: [adoptingSteps], ...connection });
    await worker.start();
    const client = new Client(connection);
    const guarded = OWNERS.map((owner) => Object.getOwnPropertyDescriptors(owner));
    const cpuMs: Record<Mode, number[]> = { neither: [], context: [], both: [] };
    try {
      for (let index = -1; index < ROUNDS; index++) {
        // Another order each round: whoever comes first finds what the one before left to be collected.
        for (const mode of MODES.map((_, place) => MODES[(place + index + 1) % MODES.length] ?? "both")) {
          setGlobals(mode === "both" ? guarded : REAL);
          const end = mode === "neither" ? replaceStorage() : () => {};
          memoryInUse();
          const before = process.cpuUsage();
          const runs = await client.startMany(
            adoptingSteps,
            Array.from({ length: RUNS }, () => ({ input: STEPS })),
          );
          await Promise.all(runs.map((run) => run.result()));
          const { user, system } = process.cpuUsage(before);
          end();
          if (index >= 0) cpuMs[mode].push((user + system) / 1000);
        }
      }
    } finally {
      setGlobals(guarded);
      await client.close();
      await worker.stop();
    }
    // The least of the rounds: what disturbs a process only ever adds to its time.
    const [neither, context, both] = MODES.map((mode) => Math.min(...cpuMs[mode]));
    const more = (dear = Number.NaN, cheap = Number.NaN) => round((100 * (dear - cheap)) / cheap, 1);
    return [
      { name: "ambient context", value: more(context, neither), unit: "%" },
      { name: "guarded globals", value: more(both, context), unit: "%" },
      { name: "both", value: more(both, neither), unit: "%", bar: { atMost: MOST_PERCENT } },
    ];
  },
};

function setGlobals(chosen: readonly PropertyDescriptorMap[]): void {
  for (const [index, owner] of OWNERS.entries()) {
    const wanted = chosen[index] ?? {};
    for (const [name, descriptor] of Object.entries(wanted)) {
      if (descriptor.configurable === true) Object.defineProperty(owner, name, descriptor);
    }
    for (const name of Object.getOwnPropertyNames(owner)) {
      if (wanted[name] === undefined && Object.getOwnPropertyDescriptor(owner, name)?.configurable === true)
        Reflect.deleteProperty(owner, name);
    }
  }
  syncBuiltinESMExports();
}

/** A plain variable in the storage's place; called back, the storage is itself again. */
function replaceStorage(): () => void {
  const storage = (globalThis as Record<symbol, unknown>)[storageKey] as AsyncLocalStorage<unknown>;
  let current: unknown;
  const standIn = {
    getStore: () => current,
    run(store: unknown, body: (...values: unknown[]) => unknown, ...values: unknown[]) {
      const before = current;
      current = store;
      try {
        return body(...values);
      } finally {
        current = before;
      }
    },
  };
  storage.disable();
  Object.assign(storage, standIn);
  adopt = () => {
    const mine = current;
    return () => {
      current = mine;
    };
  };
  return () => {
    for (const name of Object.keys(standIn)) Reflect.deleteProperty(storage, name);
    adopt = () => () => {};
  };
}
