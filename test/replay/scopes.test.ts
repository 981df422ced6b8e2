// Scopes that the code cancels itself, limits of time, and what either leaves alone. Each line of the table is a case:
// what the code does, what happens to it, how it ends; lived once, then replayed from every prefix of its history.

import { expect, test } from "vitest";
import {
  CanceledFailure,
  cancelScope,
  condition,
  defineQuery,
  defineSignal,
  isCanceled,
  nonCancellable,
  sleep,
  step,
  TimeoutFailure,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { type DrivenRun, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal<string>("go");
const stop = defineSignal<string>("stop");

type Happening = (run: DrivenRun) => Promise<void>;
const cancels: Happening = (run) => run.cancels("enough");
const signals =
  (name: string, payload?: unknown): Happening =>
  (run) =>
    run.signals(name, payload);
const completes =
  (name: string, result?: unknown): Happening =>
  (run) =>
    run.completes(name, result);
const fails =
  (name: string): Happening =>
  (run) =>
    run.fails(name, new RangeError("no"));
const fires =
  (name: string): Happening =>
  (run) =>
    run.fires(name);
/** What a worker tells of a step that was told to stop and did. */
const stops =
  (name: string, why = "enough"): Happening =>
  (run) =>
    run.fails(name, new CanceledFailure(why));
/** An answer that was under way when the code took the command back. */
const late =
  (name: string, kind: "completed" | "fired", meanwhile: Happening): Happening =>
  async (run) => {
    const event = run[kind](name);
    await meanwhile(run);
    await run.tell(event);
  };

interface Case {
  readonly intent: string;
  readonly main: () => Promise<unknown>;
  readonly happens: readonly Happening[];
  /** `completed: <json>`, `failed: <type>: <message>` or `canceled: …`; `open: <what is pending>`. */
  readonly ends: string;
}

const named = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
/** What a wait came to, as text. */
const told = (wait: Promise<unknown>) => wait.then((value) => value ?? "done", named);
/** A scope canceled by the signal `stop`, whose payload is the reason. */
function stoppable() {
  const scope = cancelScope();
  stop.handle((reason) => scope.cancel(reason));
  return scope;
}
const done = "completed: ";

const cases: Case[] = [
  // ------------------------------------------------------------ what a canceled scope takes back
  {
    intent: "a sleep in a canceled scope rejects at once, and the code around goes on",
    main: async () => [await told(stoppable().run(() => sleep("1h"))), await told(sleep("1h"))],
    happens: [signals("stop", "no more"), fires("sleep")],
    ends: `${done}["CanceledFailure: no more","done"]`,
  },
  {
    intent: "a receive in a canceled scope rejects, and the next signal is for who asks later",
    main: async () => [await told(stoppable().run(() => go.receive())), await go.receive()],
    happens: [signals("stop", "no more"), signals("go", "x")],
    ends: `${done}["CanceledFailure: no more","x"]`,
  },
  {
    intent: "a receive with a timeout is taken back with its timer",
    main: async () => told(stoppable().run(() => go.receive({ timeout: "1h" }))),
    happens: [late("receive go", "fired", signals("stop", "no more"))],
    ends: `${done}"CanceledFailure: no more"`,
  },
  {
    intent: "a condition in a canceled scope is looked at no more",
    main: async () => told(stoppable().run(() => condition(() => false))),
    happens: [signals("stop", "no more")],
    ends: `${done}"CanceledFailure: no more"`,
  },
  {
    intent: "a condition with a timeout is taken back with its timer",
    main: async () => told(stoppable().run(() => condition(() => false, { timeout: "1h" }))),
    happens: [late("condition", "fired", signals("stop", "no more"))],
    ends: `${done}"CanceledFailure: no more"`,
  },
  {
    intent: "a step that waits is told to stop, and rejects when it has ended",
    main: async () => told(stoppable().run(() => step("a", noop))),
    happens: [signals("stop", "no more"), stops("a", "no more")],
    ends: `${done}"CanceledFailure: no more"`,
  },
  {
    intent: "a step that waits is still pending while it stops",
    main: async () => told(stoppable().run(() => step("a", noop))),
    happens: [signals("stop", "no more")],
    ends: "open: 1 step a",
  },
  {
    intent: "a step that completes although it was told to stop gives its result",
    main: async () => told(stoppable().run(() => step("a", noop))),
    happens: [signals("stop", "no more"), completes("a", "charged")],
    ends: `${done}"charged"`,
  },
  {
    intent: "a step that fails otherwise while it is told to stop rejects with that",
    main: async () => told(stoppable().run(() => step("a", noop))),
    happens: [signals("stop", "no more"), fails("a")],
    ends: `${done}"StepFailure: step \\"a\\" failed: RangeError: no"`,
  },
  {
    intent: "an abandoned step rejects at once, and its late result is ignored",
    main: async () => [
      await told(stoppable().run(() => step("a", noop, { onCancel: "abandon" }))),
      await step("b", noop),
    ],
    happens: [late("a", "completed", signals("stop", "no more")), completes("b", 2)],
    ends: `${done}["CanceledFailure: no more",2]`,
  },
  {
    intent: "a timer that fired as it was taken back is ignored",
    main: async () => [await told(stoppable().run(() => sleep("1h"))), await step("b", noop)],
    happens: [late("sleep", "fired", signals("stop", "no more")), completes("b", 2)],
    ends: `${done}["CanceledFailure: no more",2]`,
  },
  {
    intent: "a step asked for and canceled in one turn is answered by its end all the same",
    main: async () => {
      const scope = cancelScope();
      const asked = scope.run(() => step("a", noop));
      scope.cancel("at once");
      return told(asked);
    },
    happens: [stops("a", "at once")],
    ends: `${done}"CanceledFailure: at once"`,
  },
  {
    intent: "a timer asked for and canceled in one turn leaves nothing behind",
    main: async () => {
      const scope = cancelScope();
      const asked = scope.run(() => sleep("1h"));
      scope.cancel("at once");
      return told(asked);
    },
    happens: [],
    ends: `${done}"CanceledFailure: at once"`,
  },
  // ------------------------------------------------------------ what is asked for afterwards
  {
    intent: "a canceled scope calls no body",
    main: async () => {
      const scope = cancelScope();
      scope.cancel("closed");
      let isCalled = false;
      const end = await told(
        scope.run(async () => {
          isCalled = true;
        }),
      );
      return { end, isCalled, isCanceled: scope.isCanceled };
    },
    happens: [],
    ends: `${done}{"end":"CanceledFailure: closed","isCalled":false,"isCanceled":true}`,
  },
  {
    intent: "in a canceled scope every wait rejects without a command",
    main: async () =>
      stoppable().run(async () => {
        await sleep("1h").catch(noop);
        const waits = [
          step("a", noop),
          step("b", noop, { onCancel: "abandon" }),
          sleep(1),
          go.receive(),
          go.receive({ timeout: "1s" }),
          condition(() => true),
          condition(() => false, { timeout: 5 }),
          withTimeout("1m", () => sleep(1)),
          cancelScope().run(() => sleep(1)),
        ];
        return (await Promise.allSettled(waits)).every((end) => end.status === "rejected" && isCanceled(end.reason));
      }),
    happens: [signals("stop", "no more")],
    ends: `${done}true`,
  },
  {
    intent: "nonCancellable in a canceled scope works as ever",
    main: async () =>
      stoppable().run(async () => {
        await sleep("1h").catch(noop);
        return nonCancellable(async () => [await step("undo", noop), await go.receive({ timeout: "1m" })]);
      }),
    happens: [signals("stop", "no more"), completes("undo", "undone"), fires("receive go")],
    ends: `${done}["undone",null]`,
  },
  {
    intent: "a scope inside nonCancellable inside a canceled scope is a fresh one",
    main: async () =>
      stoppable().run(async () => {
        await sleep("1h").catch(noop);
        return nonCancellable(() => cancelScope().run(() => step("undo", noop)));
      }),
    happens: [signals("stop", "no more"), completes("undo", "undone")],
    ends: `${done}"undone"`,
  },
  {
    intent: "the second reason changes nothing",
    main: async () => told(stoppable().run(() => step("a", noop))),
    happens: [signals("stop", "first"), signals("stop", "second"), stops("a", "first")],
    ends: `${done}"CanceledFailure: first"`,
  },
  // ------------------------------------------------------------ trees
  {
    intent: "canceling a scope cancels those below, in the order of asking",
    main: async () => {
      const order: string[] = [];
      const scope = stoppable();
      const wait = (name: string) => sleep("1h").catch(() => order.push(name));
      await Promise.all([
        scope.run(() => wait("outer first")),
        scope.run(() => cancelScope().run(() => wait("inner"))),
        scope.run(() => wait("outer last")),
      ]);
      return order;
    },
    happens: [signals("stop", "all")],
    ends: `${done}["outer first","inner","outer last"]`,
  },
  {
    intent: "canceling a scope leaves the one around it alone",
    main: async () => {
      const outer = cancelScope();
      return outer.run(async () => {
        const inner = stoppable();
        const ended = await told(inner.run(() => sleep("1h")));
        return [ended, await step("a", noop), inner.isCanceled, outer.isCanceled];
      });
    },
    happens: [signals("stop", "inner only"), completes("a", 1)],
    ends: `${done}["CanceledFailure: inner only",1,true,false]`,
  },
  {
    intent: "canceling a scope leaves its neighbours alone",
    main: async () => {
      const scope = stoppable();
      return Promise.all([told(scope.run(() => sleep("1h"))), told(cancelScope().run(() => step("a", noop)))]);
    },
    happens: [signals("stop", "one"), completes("a", 1)],
    ends: `${done}["CanceledFailure: one",1]`,
  },
  {
    intent: "one scope shared by branches that begin at different times cancels them all",
    main: async () => {
      const scope = stoppable();
      const first = told(scope.run(() => sleep("1h")));
      await step("a", noop);
      const second = told(scope.run(() => go.receive()));
      return Promise.all([first, second]);
    },
    happens: [completes("a"), signals("stop", "both")],
    ends: `${done}["CanceledFailure: both","CanceledFailure: both"]`,
  },
  {
    intent: "a scope belongs to where it was made, not to where it runs",
    main: async () => {
      const made = cancelScope();
      const elsewhere = stoppable();
      return Promise.all([
        told(elsewhere.run(() => made.run(() => step("a", noop)))),
        told(elsewhere.run(() => sleep("1h"))),
      ]);
    },
    happens: [signals("stop", "elsewhere"), completes("a", 1)],
    ends: `${done}[1,"CanceledFailure: elsewhere"]`,
  },
  {
    intent: "what stands behind nonCancellable in a scope goes on when the scope is canceled",
    main: async () => {
      const scope = stoppable();
      const kept = scope.run(() => nonCancellable(() => step("a", noop)));
      return [await told(scope.run(() => sleep("1h"))), await told(kept)];
    },
    happens: [signals("stop", "no more"), completes("a", "kept")],
    ends: `${done}["CanceledFailure: no more","kept"]`,
  },
  {
    intent: "a scope that code cancels is deaf to the request that comes later",
    main: async () =>
      nonCancellable(async () => {
        const scope = stoppable();
        return told(scope.run(() => step("a", noop)));
      }),
    happens: [signals("stop", "code"), cancels, stops("a", "code")],
    ends: `${done}"CanceledFailure: code"`,
  },
  // ------------------------------------------------------------ the run's own request
  {
    intent: "a request to the run reaches every scope below",
    main: async () => cancelScope().run(() => cancelScope().run(() => sleep("1h"))),
    happens: [cancels],
    ends: "canceled: CanceledFailure: enough",
  },
  {
    intent: "a request rejects what is asked for in scopes that are idle",
    main: async () => {
      const scope = cancelScope();
      await sleep("1h").catch(noop);
      return [scope.isCanceled, await told(scope.run(() => step("a", noop)))];
    },
    happens: [cancels],
    ends: `${done}[true,"CanceledFailure: enough"]`,
  },
  {
    intent: "a scope canceled by code whose error escapes fails the run: nobody asked the run to stop",
    main: async () => stoppable().run(() => sleep("1h")),
    happens: [signals("stop", "no more")],
    ends: "failed: CanceledFailure: no more",
  },
  {
    intent: "when the run was asked as well, an escaping cancellation of a scope ends it as canceled",
    main: async () => stoppable().run(() => step("a", noop)),
    happens: [signals("stop", "no more"), cancels, stops("a", "no more")],
    ends: "canceled: CanceledFailure: no more",
  },
  {
    intent: "a branch that nobody awaits may be canceled, and the run completes",
    main: async () => {
      const scope = cancelScope();
      void scope.run(() => sleep("1h")).catch(noop);
      const answer = await go.receive();
      scope.cancel("answered");
      return answer;
    },
    happens: [signals("go", "yes")],
    ends: `${done}"yes"`,
  },
  {
    intent: "a signal handler that a request cancels does not cut the clean-up short",
    main: async () => {
      go.handle(async () => {
        await step("handle", noop, { onCancel: "abandon" });
      });
      try {
        await sleep("1h");
      } finally {
        await nonCancellable(() => step("undo", noop));
      }
    },
    happens: [signals("go"), cancels, completes("undo")],
    ends: "canceled: CanceledFailure: enough",
  },
  {
    intent: "a step whose result comes with the request has it, and the next one rejects",
    main: async () =>
      cancelScope().run(async () => {
        const a = await step("a", noop);
        return [a, await told(step("b", noop))];
      }),
    happens: [
      (run) => run.tell(run.completed("a", 1), { type: "CancelRequested", mail: 1, reason: "enough" }),
      stops("b"),
    ],
    ends: `${done}[1,"CanceledFailure: enough"]`,
  },
  // ------------------------------------------------------------ withTimeout
  {
    intent: "a body that ends in time has its result, and the timer is taken back",
    main: async () => [await withTimeout("1m", () => step("a", noop)), await step("b", noop)],
    happens: [late("timeout", "fired", completes("a", 1)), completes("b", 2)],
    ends: `${done}[1,2]`,
  },
  {
    intent: "a body that throws in time throws on, and the timer is taken back",
    main: async () => told(withTimeout("1m", () => step("a", noop))),
    happens: [fails("a")],
    ends: `${done}"StepFailure: step \\"a\\" failed: RangeError: no"`,
  },
  {
    intent: "a wait that is longer than its time is a timeout of the scope",
    main: async () =>
      withTimeout("1m", () => sleep("1h")).catch((error) => [
        error instanceof TimeoutFailure && error.timeout,
        error.message,
        isCanceled(error),
      ]),
    happens: [fires("timeout")],
    ends: `${done}["scope","not done within 1m",false]`,
  },
  {
    intent: "a timeout that escapes fails the run",
    main: async () => withTimeout(60_000, () => go.receive()),
    happens: [fires("timeout")],
    ends: "failed: TimeoutFailure: not done within 60000 ms",
  },
  {
    intent: "after the time the step is told to stop, and the timeout tells when it has",
    main: async () => told(withTimeout("1m", () => step("a", noop))),
    happens: [fires("timeout"), stops("a", "not done within 1m")],
    ends: `${done}"TimeoutFailure: not done within 1m"`,
  },
  {
    intent: "after the time and before the step has ended, nothing is decided",
    main: async () => told(withTimeout("1m", () => step("a", noop))),
    happens: [fires("timeout")],
    ends: "open: 2 step a",
  },
  {
    intent: "a result that comes after the time is the result",
    main: async () => told(withTimeout("1m", () => step("a", noop))),
    happens: [fires("timeout"), completes("a", "just")],
    ends: `${done}"just"`,
  },
  {
    intent: "an abandoned step does not hold up the timeout",
    main: async () => told(withTimeout("1m", () => step("a", noop, { onCancel: "abandon" }))),
    happens: [late("a", "completed", fires("timeout"))],
    ends: `${done}"TimeoutFailure: not done within 1m"`,
  },
  {
    intent: "a timeout waits for a second step that the body no longer waits for",
    main: async () => told(withTimeout("1m", () => Promise.all([sleep("1h"), step("a", noop)]))),
    happens: [fires("timeout"), stops("a")],
    ends: `${done}"TimeoutFailure: not done within 1m"`,
  },
  {
    intent: "a timeout waits for what the body shields",
    main: async () => told(withTimeout("1m", () => nonCancellable(() => step("a", noop)))),
    happens: [fires("timeout"), completes("a", "kept")],
    ends: `${done}"kept"`,
  },
  {
    intent: "a body that answers its cancellation with a result has it",
    main: async () => withTimeout("1m", () => sleep("1h").catch(() => "instead")),
    happens: [fires("timeout")],
    ends: `${done}"instead"`,
  },
  {
    intent: "of two nested limits the inner one may pass alone",
    main: async () => {
      const inner = () => told(withTimeout("1m", () => sleep("2h")));
      return withTimeout("1h", async () => [await inner(), await step("a", noop)]);
    },
    happens: [(run) => run.tell({ type: "TimerFired", command: 2, name: "timeout" }), completes("a", 1)],
    ends: `${done}["TimeoutFailure: not done within 1m",1]`,
  },
  {
    intent: "the outer limit ends the inner one, which is not called a timeout of its own",
    main: async () =>
      told(withTimeout("1m", () => withTimeout("1h", () => sleep("2h")).catch((error) => `inner ${named(error)}`))),
    happens: [fires("timeout")],
    ends: `${done}"inner CanceledFailure: not done within 1m"`,
  },
  {
    intent: "a request during the limit cancels, and is not called a timeout",
    main: async () => withTimeout("1m", () => sleep("1h")),
    happens: [cancels],
    ends: "canceled: CanceledFailure: enough",
  },
  {
    intent: "a request while the body stops after its time cancels the run",
    main: async () => withTimeout("1m", () => step("a", noop)),
    happens: [fires("timeout"), cancels, stops("a")],
    ends: "canceled: CanceledFailure: enough",
  },
  {
    intent: "a limit around clean-up holds in a canceled run",
    main: async () => {
      await sleep("1h").catch(noop);
      return nonCancellable(() => told(withTimeout("1m", () => go.receive())));
    },
    happens: [cancels, fires("timeout")],
    ends: `${done}"TimeoutFailure: not done within 1m"`,
  },
  {
    intent: "a limit of 0 lets the body do what needs no wait",
    main: async () => withTimeout(0, async () => "done at once"),
    happens: [],
    ends: `${done}"done at once"`,
  },
];

function endOf(run: DrivenRun): string {
  const { outcome } = run;
  if (outcome === undefined) return `open: ${run.pending.join(", ")}`;
  return outcome.type === "completed" ? `completed: ${JSON.stringify(run.result)}` : run.failure;
}

test.each(cases)("$intent", async ({ main, happens, ends }) => {
  const definition = workflow("main", main);
  const run = await runWorkflow(definition);
  for (const happening of happens) await happening(run);
  expect(run.engine.broken?.message).toBeUndefined();
  expect(endOf(run)).toBe(ends);
  await expectSameFromEveryPrefix(definition, run);
});

test("the table has more than forty cases, each of its own", () => {
  expect(new Set(cases.map(({ intent }) => intent)).size).toBe(cases.length);
  expect(cases.length).toBeGreaterThanOrEqual(40);
});

test("a scope below is known to the one above only while something is pending in it", () => {
  const above = new CancelScope(null);
  const below = new CancelScope(new CancelScope(above));
  const pending = { cancel: noop };
  below.enter(pending);
  expect(above.isIdle).toBe(false);
  below.leave(pending);
  expect(above.isIdle).toBe(true);
  below.enter(pending);
  above.cancel(new CanceledFailure("enough"));
  expect([above.isIdle, below.isIdle, below.canceledBy?.message]).toEqual([true, true, "enough"]);
});

test("a scope is not idle before what it told to stop has ended", () => {
  const above = new CancelScope(null);
  const below = new CancelScope(above);
  const slow = { cancel: () => below.enter(slow) };
  below.enter(slow);
  above.cancel(new CanceledFailure("enough"));
  expect([above.isIdle, below.isIdle]).toEqual([false, false]);
  below.leave(slow);
  expect([above.isIdle, below.isIdle]).toEqual([true, true]);
});

test("a query and a condition cancel nothing", async () => {
  const ask = defineQuery<string>("ask");
  const main = workflow("main", async () => {
    const scope = cancelScope();
    const attempt = () => {
      try {
        scope.cancel();
        return "canceled";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    ask.handle(attempt);
    let inCondition = "";
    await condition(() => {
      inCondition = attempt();
      return true;
    });
    await scope.run(() => step("a", noop));
    return inCondition;
  });
  const run = await runWorkflow(main);
  expect(run.engine.query("ask", null)).toBe('"COMMAND_IN_READ_ONLY"');
  await run.completes("a");
  expect(run.result).toBe("COMMAND_IN_READ_ONLY");
});

test("a scope of one run is refused to another, and nothing happens to it", async () => {
  let leaked: ReturnType<typeof cancelScope> | undefined;
  const first = await runWorkflow(
    workflow("first", async () => {
      leaked = cancelScope();
      return leaked.run(() => step("a", noop));
    }),
  );
  const second = await runWorkflow(
    workflow("second", async () => {
      const refused = await leaked?.run(() => sleep(1)).catch((error) => error.code);
      leaked?.cancel();
      return refused;
    }),
  );
  expect(second.failure).toMatch(/^failed: EverstepError: scope.cancel\(\) belongs to run order-42/);
  expect(first.changes()).toEqual(["asked 1 step a"]);
  await first.completes("a", "fine");
  expect(first.result).toBe("fine");
});

test("a scope is made in a workflow, and a limit is a duration", async () => {
  expect(() => cancelScope()).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
  await expect(withTimeout("1m", async () => 1)).rejects.toMatchObject({ code: "OUTSIDE_WORKFLOW" });
  const main = workflow("main", async () =>
    withTimeout("soon" as "1m", async () => 1).catch((error) => [error.code, error.message]),
  );
  const [code, message] = (await runWorkflow(main)).result as string[];
  expect(code).toBe("ARGUMENT_INVALID");
  expect(message).toContain("withTimeout(duration)");
});
