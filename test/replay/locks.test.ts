// Locks inside a run: what is asked for and when it is let go. Each case is lived once, then replayed from every prefix of
// its history.

import { expect, test } from "vitest";
import {
  cancelScope,
  continueAsNew,
  defineQuery,
  defineSemaphore,
  defineSignal,
  isCanceled,
  isEverstepError,
  nonCancellable,
  saga,
  sleep,
  step,
  TimeoutFailure,
  withLock,
  workflow,
} from "../../sdk/index.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const go = defineSignal<string>("go");
const stop = defineSignal("stop");
const gpus = defineSemaphore("gpus", { permits: 3 });

const typesOf = (run: DrivenRun) => run.history.map(({ type }) => type);

async function lived(main: () => Promise<unknown>, ...happenings: ((run: DrivenRun) => unknown)[]): Promise<DrivenRun> {
  const definition = workflow("main", main);
  const run = await runWorkflow(definition);
  for (const happening of happenings) await happening(run);
  await expectSameFromEveryPrefix(definition, run);
  return run;
}

test("the body runs once the lock is granted, with its token, and the lock is let go before the next turn", async () => {
  const run = await lived(
    async () => {
      const token = await withLock("a", async ({ key, fencingToken }) => step("work", () => [key, fencingToken]));
      return [token, await go.receive()];
    },
    (run) => expect(run.pending).toEqual(["1 lock a"]),
    (run) => run.grants("a", 7),
    (run) => expect(run.pending).toEqual(["2 step work"]),
    (run) => expect(typesOf(run)).not.toContain("LockReleased"),
    (run) => run.completes("work", "done"),
    (run) => expect(typesOf(run).at(-1)).toBe("LockReleased"),
    (run) => run.signals("go", "now"),
  );
  expect(run.result).toEqual(["done", "now"]);
});

test("a body that throws lets go, and the error is the caller's", async () => {
  const run = await lived(
    async () => {
      const why = await withLock("a", async () => {
        throw new RangeError("no");
      }).catch((error: Error) => error.message);
      return [why, await go.receive()];
    },
    (run) => run.grants("a"),
    (run) => expect(typesOf(run).slice(1)).toEqual(["LockRequested", "LockGranted", "LockReleased"]),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual(["no", "on"]);
});

test("at the end of the run nothing is said of what it lets go", async () => {
  const run = await lived(
    () => withLock("a", () => 1),
    (run) => run.grants("a"),
  );
  expect(run.result).toBe(1);
  expect(typesOf(run)).toEqual(["RunStarted", "LockRequested", "LockGranted"]);
  expect(run.engine.locks?.areRequested).toBe(true);
});

test("a wait that takes too long fails with the key and the time it was given, and leaves the queue", async () => {
  const run = await lived(
    async () => {
      const failure = await withLock("a", () => 1, { timeout: "30s" }).catch((error: unknown) => error);
      if (!(failure instanceof TimeoutFailure)) throw failure;
      return [failure.timeout, failure.message, await go.receive()];
    },
    (run) => expect(run.pending).toEqual(["1 lock a", "2 timer lock a"]),
    (run) => run.fires("lock a"),
    (run) => expect(typesOf(run).at(-1)).toBe("LockReleased"),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual(["lock", `"a" was not granted within 30s`, "on"]);
});

test("a grant that comes when the time is up is let go with the place in the queue", async () => {
  const run = await lived(
    async () => {
      const failed = await withLock("a", () => 1, { timeout: 10 }).catch(() => "late");
      return [failed, await go.receive()];
    },
    async (run) => {
      const granted = run.grantedEvent("a");
      await run.tell(run.fired("lock a"), granted);
    },
    (run) => expect(typesOf(run).slice(-3)).toEqual(["TimerFired", "LockGranted", "LockReleased"]),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual(["late", "on"]);
});

test("a grant in time takes the timer back", async () => {
  const run = await lived(
    () => withLock("a", () => go.receive(), { timeout: "30s" }),
    (run) => run.grants("a"),
    (run) => expect(run.pending).toEqual([]),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toBe("on");
});

test("canceled while it waits, a run leaves the queue at once, and may go on", async () => {
  const run = await lived(
    async () => {
      const why = await withLock("a", () => 1).catch((error: unknown) => isCanceled(error));
      return nonCancellable(async () => [why, await go.receive()]);
    },
    (run) => run.cancels(),
    (run) => expect(typesOf(run).at(-1)).toBe("LockReleased"),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual([true, "on"]);
});

test("canceled while it holds the lock, a run lets go when the body has ended", async () => {
  const run = await lived(
    async () => {
      const clean = withLock("a", async () => {
        try {
          await go.receive();
        } finally {
          await nonCancellable(() => step("clean up", () => {}));
        }
      });
      await clean.catch(() => {});
      return nonCancellable(() => go.receive());
    },
    (run) => run.grants("a"),
    (run) => run.cancels(),
    (run) => expect(typesOf(run)).not.toContain("LockReleased"),
    (run) => run.completes("clean up"),
    (run) => expect(typesOf(run).at(-1)).toBe("LockReleased"),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toBe("on");
});

test("what the body has left behind is canceled and waited for before the lock is let go", async () => {
  const run = await lived(
    async () => {
      const first = await withLock("a", async () => {
        step("left behind", () => {}).catch(() => {});
        return step("awaited", () => {});
      });
      return [first, await go.receive()];
    },
    (run) => run.grants("a"),
    (run) => run.completes("awaited", 1),
    (run) => expect(typesOf(run)).not.toContain("LockReleased"),
    (run) => run.fails("left behind", new Error("told to stop")),
    (run) => expect(typesOf(run).at(-1)).toBe("LockReleased"),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual([1, "on"]);
});

test("given up in the turn that asked, nothing is asked for", async () => {
  const run = await lived(
    async () => {
      const scope = cancelScope();
      const asked = scope.run(() => withLock("a", () => 1)).catch(() => "given up");
      scope.cancel();
      return [await asked, await go.receive()];
    },
    (run) => expect(typesOf(run)).toEqual(["RunStarted"]),
    (run) => run.signals("go", "on"),
  );
  expect(run.result).toEqual(["given up", "on"]);
});

test("given up while the request is on its way to the history, it is let go as soon as it is there", async () => {
  const definition = workflow("main", async () => {
    const scope = cancelScope();
    void stop.receive().then(() => scope.cancel());
    const asked = scope.run(() => withLock("a", () => 1)).catch(() => "given up");
    return [await asked, await go.receive()];
  });
  // Its worker sends the request, and the signal is delivered before the answer.
  const run = await runWorkflow(definition, { early: [] });
  const requested = run.history.findIndex(({ type }) => type === "LockRequested");
  const before = await replay(definition, run.history.slice(0, requested));
  const signal = { ...before.signalEvent("stop"), seq: requested + 1, at: run.history[requested]?.at ?? 0 };
  await before.redeliver([signal]);
  expect(before.engine.locks?.areRequested).toBe(false);
  await before.tell({ type: "LockRequested", command: 1, name: "a", permits: 1, capacity: 1 });
  expect(typesOf(before).slice(-2)).toEqual(["LockRequested", "LockReleased"]);
  await before.signals("go", "on");
  expect(before.result).toEqual(["given up", "on"]);
  await expectSameFromEveryPrefix(definition, before);
});

test("inside its own body a key is refused, also in a shield, a saga or a step away; another key is not", async () => {
  const codeOf = (error: unknown) => (isEverstepError(error) ? error.code : String(error));
  const run = await lived(
    () =>
      withLock("a", async () => {
        const direct = await withLock("a", () => 1).catch(codeOf);
        const shielded = await nonCancellable(() => withLock("a", () => 1)).catch(codeOf);
        const inSaga = await saga(() => withLock("a", () => 1)).catch(codeOf);
        await step("between", () => {});
        const later = await withLock("a", () => 1).catch(codeOf);
        const inner = await withLock("b", () => withLock("a", () => 1)).catch(codeOf);
        return [direct, shielded, inSaga, later, inner];
      }),
    (run) => run.grants("a"),
    (run) => run.completes("between"),
    (run) => run.grants("b"),
  );
  expect(run.result).toEqual(["LOCK_HELD", "LOCK_HELD", "LOCK_HELD", "LOCK_HELD", "LOCK_HELD"]);
});

test("branches side by side may ask for one key, and after its body the same branch may again", async () => {
  const run = await lived(
    () => Promise.all([withLock("a", () => 1), withLock("a", () => 2).then(() => withLock("a", () => 3))]),
    (run) => expect(run.pending).toEqual(["1 lock a", "2 lock a"]),
    (run) => run.grants("a", 1),
    (run) => run.grants("a", 2),
    (run) => run.grants("a", 3),
  );
  expect(run.result).toEqual([1, 3]);
});

test("a semaphore says how many permits it wants, of how many", async () => {
  const run = await lived(
    () => gpus.with(async ({ key, permits, fencingToken }) => [key, permits, fencingToken], { permits: 2 }),
    (run) => run.grants("gpus", 5),
  );
  expect(run.history[1]).toMatchObject({ type: "LockRequested", name: "gpus", permits: 2, capacity: 3 });
  expect(run.result).toEqual(["gpus", 2, 5]);
});

test("how many permits there are may change between two releases of the code", async () => {
  const of = (permits: number) => workflow("main", () => defineSemaphore("pool", { permits }).with(() => go.receive()));
  const run = await runWorkflow(of(3));
  await run.grants("pool");
  const later = await replay(of(5), run.history);
  expect(later.engine.broken).toBeUndefined();
  await later.signals("go", "on");
  expect(later.result).toBe("on");
});

test("a run that continues as new from under a lock ends like any other", async () => {
  const run = await lived(
    () => withLock("a", () => continueAsNew(undefined)),
    (run) => run.grants("a"),
  );
  expect(run.outcome?.type).toBe("continued");
});

test("code that no longer asks, asks for another key, or still holds it is told apart from its history", async () => {
  const main = workflow("main", async () => {
    await withLock("a", () => step("work", () => {}));
    return go.receive();
  });
  const run = await runWorkflow(main);
  await run.grants("a");
  await run.completes("work");
  const reasonOf = async (code: () => Promise<unknown>) =>
    (await replay(workflow("main", code), run.history)).engine.broken?.message;
  expect(await reasonOf(() => go.receive())).toContain("the code asked for nothing by then");
  expect(await reasonOf(() => withLock("b", () => step("work", () => {})))).toContain('AcquireLock("b")');
  expect(await reasonOf(() => withLock("a", () => step("work", () => {}).then(() => sleep("1h"))))).toContain(
    'the code has not let go of "a" by then',
  );
});

test("arguments that make no sense are refused", async () => {
  const body = () => 1;
  const refusal = async (ask: () => Promise<unknown>) => {
    const run = await runWorkflow(workflow("main", ask));
    const outcome = run.outcome;
    return outcome !== undefined && "failure" in outcome ? outcome.failure : undefined;
  };
  for (const ask of [
    () => withLock("", body),
    () => withLock("a\u0000b", body),
    () => withLock("a".repeat(201), body),
    () => withLock("a", "work" as never),
    () => withLock("a", body, { timeout: "soon" as never }),
    () => gpus.with(body, { permits: 0 }),
    () => gpus.with(body, { permits: 1.5 }),
    () => gpus.with(body, { permits: 4 }),
    () => gpus.with(undefined as never),
  ]) {
    expect(await refusal(ask), String(ask)).toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  for (const permits of [0, -1, 1.5, Number.NaN, 1_000_001, "3" as never]) {
    expect(() => defineSemaphore("pool", { permits })).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  }
  await expect(withLock("a", body)).rejects.toMatchObject({ code: "OUTSIDE_WORKFLOW" });
});

test("a query may not ask for a lock", async () => {
  const look = defineQuery<string>("look");
  const run = await runWorkflow(
    workflow("main", async () => {
      look.handle(() => {
        void withLock("a", () => 1).catch((error: { code: string }) => seen.push(error.code));
        return "looked";
      });
      await go.receive();
    }),
  );
  const seen: string[] = [];
  run.engine.query("look", null);
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(["COMMAND_IN_READ_ONLY"]);
});
