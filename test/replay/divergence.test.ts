// Code that no longer fits a history: found out, with both sides and the place in the code.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { condition, defineSignal, defineStep, sleep, step, workflow } from "../../sdk/index.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal("go");
const charge = defineStep("charge", (_amount: number) => "charged");

/** A history of this code, up to where all its steps and timers have ended. */
async function historyOf(main: () => Promise<unknown>): Promise<readonly HistoryEvent[]> {
  const run = await runWorkflow(workflow("order", main));
  for (let next = run.engine.pendingCommands().next().value; next !== undefined; ) {
    await (next.kind === "RunStep" ? run.completes(next.ask.name) : run.fires(next.name));
    next = run.engine.pendingCommands().next().value;
  }
  return run.history;
}

async function messageOf(history: readonly HistoryEvent[], main: () => Promise<unknown>): Promise<string> {
  const run = await replay(workflow("order", main), history, { recordsCallSites: true });
  expect(run.engine.broken).toMatchObject({ code: "DIVERGENCE" });
  return run.engine.broken?.message ?? "";
}

const recorded = async () => {
  await step("reserve", noop);
  await charge(10);
  await sleep("1h");
};

const changed: Record<string, { readonly main: () => Promise<unknown>; readonly says: string }> = {
  "a renamed step": {
    main: async () => step("hold", noop),
    says: 'Event 2 is StepCompleted("reserve") for command 1; the code asked for RunStep("hold") as command 1',
  },
  "a removed step": {
    main: async () => charge(10),
    says: 'Event 2 is StepCompleted("reserve") for command 1; the code asked for RunStep("charge") as command 1',
  },
  "an added step": {
    main: async () => {
      await step("reserve", noop);
      await step("check", noop);
    },
    says: 'Event 3 is StepCompleted("charge") for command 2; the code asked for RunStep("check") as command 2',
  },
  "steps in another order": {
    main: async () => Promise.all([charge(10), step("reserve", noop)]),
    says: 'Event 2 is StepCompleted("reserve") for command 1; the code asked for RunStep("charge") as command 1',
  },
  "another kind": {
    main: async () => sleep("1h"),
    says: 'Event 2 is StepCompleted("reserve") for command 1; the code asked for StartTimer("sleep") as command 1',
  },
  "a timer that became a step": {
    main: async () => {
      await step("reserve", noop);
      await charge(10);
      await step("sleep", noop);
    },
    says: 'Event 4 is TimerStarted("sleep") for command 3; the code asked for RunStep("sleep") as command 3',
  },
  "another input": {
    main: async () => {
      await step("reserve", noop);
      await charge(11);
    },
    says: 'Event 3 is StepCompleted("charge") for command 2; the code asked for RunStep("charge") with another input as command 2',
  },
  "an inline step that had an input": {
    main: async () => {
      await step("reserve", noop);
      await step("charge", noop);
    },
    says: 'Event 3 is StepCompleted("charge") for command 2; the code asked for RunStep("charge") with another input as command 2',
  },
};

test.each(Object.keys(changed))("%s is told with both sides and the place in the code", async (what) => {
  const history = await historyOf(recorded);
  const { main, says } = changed[what] ?? { main: recorded, says: "" };
  const message = await messageOf(history, main);
  expect(message).toContain(`Run order-42 replayed differently. ${says}`);
  expect(message).toContain(`${fileURLToPath(import.meta.url)}:`);
  expect(message).toContain("Its history is untouched: deploy code that fits it and the run goes on.");
});

test("code that asks for nothing any more", async () => {
  const message = await messageOf(await historyOf(recorded), async () => {});
  expect(message).toContain('Event 2 is StepCompleted("reserve") for command 1; the code asked for nothing by then');
});

test("code that ends earlier than its history", async () => {
  const message = await messageOf(await historyOf(recorded), async () => step("reserve", noop));
  expect(message).toContain(
    'Event 3 is StepCompleted("charge") for command 2; the code asked for only 1 command by then',
  );
});

test("code that asks later than its history says", async () => {
  const message = await messageOf(
    await historyOf(async () => Promise.all([step("a", noop), step("b", noop)])),
    async () => {
      await go.receive();
      await step("a", noop);
    },
  );
  expect(message).toContain('Event 2 is StepCompleted("a") for command 1; the code asked for nothing by then');
});

test("code that goes on where its history ends", async () => {
  const closed: HistoryEvent[] = [...(await historyOf(recorded))];
  closed.push({ type: "RunCompleted", result: null, unread: [], seq: closed.length + 1, at: 0 });
  const message = await messageOf(closed, async () => {
    await recorded();
    await step("more", noop);
  });
  expect(message).toContain("Event 6 is RunCompleted; the code has not ended by then");
});

test("a timer that a condition no longer needs is compared although it is late", async () => {
  const history = await historyOf(async () => condition(() => false, { timeout: "1m" }));
  const message = await messageOf(history, async () => go.receive({ timeout: "1m" }));
  expect(message).toContain(
    'Event 2 is TimerStarted("condition") for command 1; the code asked for StartTimer("receive go") as command 1',
  );
});

test("nothing more is delivered to a run that diverged", async () => {
  const history = await historyOf(recorded);
  const run = await replay(
    workflow("order", async () => step("hold", noop)),
    history,
  );
  expect(run.engine.deliveredEvents).toBe(2);
  expect(run.engine.broken?.message).toContain("Event 2");
});

test("what may change freely: bodies, options, code between commands, how long a timer takes", async () => {
  const history = await historyOf(recorded);
  const run = await replay(
    workflow("order", async () => {
      await Promise.resolve();
      await step("reserve", () => "something else", { retry: { maxAttempts: 1 }, timeout: "1s" });
      await charge(10, { totalTimeout: "1m" });
      await sleep("2h");
      return "changed";
    }),
    history,
  );
  expect(run.result).toBe("changed");
});

test("another input of a definition is not looked at when it is recorded before its answer", async () => {
  const run = await runWorkflow(workflow("order", async () => charge(10)));
  const again = await replay(
    workflow("order", async () => charge(99)),
    run.history,
  );
  expect(again.pending).toEqual(["1 step charge"]);
});

test("a wait for something foreign is reported with the last command and its place", async () => {
  const main = workflow("order", async () => {
    await step("reserve", noop);
    await new Promise(noop);
  });
  const run = await runWorkflow(main, { recordsCallSites: true });
  expect(run.engine.broken).toBeUndefined();
  await run.completes("reserve");
  expect(run.engine.broken).toMatchObject({ code: "FOREIGN_WAIT" });
  expect(run.engine.broken?.message).toContain('after RunStep("reserve"), command 1 (at ');
  expect(run.engine.broken?.message).toContain(fileURLToPath(import.meta.url));
});

test("a foreign wait before the first command is reported as that", async () => {
  const run = await runWorkflow(workflow("order", async () => new Promise(noop)));
  expect(run.engine.broken?.message).toContain("before its first command");
});

test("code that something foreign woke may not ask", async () => {
  let wake = noop;
  const main = workflow("order", async () => {
    const foreign = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await Promise.all([foreign.then(() => step("late", noop)), step("a", noop)]);
  });
  const run = await runWorkflow(main);
  wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(run.engine.broken).toMatchObject({ code: "FOREIGN_WAIT", message: expect.stringContaining('step "late"') });
});

test("a run that something foreign ended is reported, not closed", async () => {
  let wake = noop;
  const main = workflow("order", async () => {
    await Promise.race([
      step("a", noop),
      new Promise<void>((resolve) => {
        wake = resolve;
      }),
    ]);
  });
  const run = await runWorkflow(main);
  wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(run.outcome).toBeUndefined();
  expect(run.engine.broken?.message).toContain("was ended by something outside its history");
});
