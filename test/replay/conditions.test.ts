// Waiting for the workflow's own state.

import { expect, test } from "vitest";
import { condition, defineSignal, isEverstepError, sleep, step, workflow } from "../../sdk/index.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const add = defineSignal<number>("add");

test("a condition that holds at once asks for nothing", async () => {
  const main = workflow("main", async () => {
    await condition(() => true);
    return condition(() => true, { timeout: "1m" });
  });
  const run = await runWorkflow(main);
  expect(run.result).toBe(true);
  expect(run.changes()).toEqual([]);
});

test("it is looked at again after every event", async () => {
  let looks = 0;
  const main = workflow("main", async () => {
    let total = 0;
    add.handle((n) => {
      total += n;
    });
    void step("other", noop);
    await condition(() => {
      looks++;
      return total >= 3;
    });
    return total;
  });
  const run = await runWorkflow(main);
  const atFirst = looks;
  await run.signals("add", 1);
  expect(looks).toBeGreaterThan(atFirst);
  const before = looks;
  await run.completes("other");
  expect(looks).toBeGreaterThan(before);
  await run.signals("add", 2);
  expect(run.result).toBe(3);
});

test("conditions wake one at a time, in the order in which they were asked for", async () => {
  const order: string[] = [];
  const main = workflow("main", async () => {
    let tokens = 0;
    add.handle((n) => {
      tokens += n;
    });
    const take = async (name: string) => {
      await condition(() => tokens > 0);
      tokens--;
      order.push(`${name}, ${tokens} left`);
    };
    await Promise.all([take("first"), take("second"), take("third")]);
  });
  const run = await runWorkflow(main);
  await run.signals("add", 2);
  expect(order).toEqual(["first, 1 left", "second, 0 left"]);
  await run.signals("add", 1);
  expect(order).toEqual(["first, 1 left", "second, 0 left", "third, 0 left"]);
  expect(run.outcome?.type).toBe("completed");
});

test("what one of them does can wake the next, without another event", async () => {
  const main = workflow("main", async () => {
    let stage = 0;
    add.handle(() => {
      stage = 1;
    });
    const second = condition(() => stage === 2).then(() => "second");
    await condition(() => stage === 1);
    stage = 2;
    return second;
  });
  const run = await runWorkflow(main);
  await run.signals("add", 0);
  expect(run.result).toBe("second");
});

test("with a timeout it is true when the predicate held, and its timer is taken back", async () => {
  const main = workflow("main", async () => {
    let isSet = false;
    add.handle(() => {
      isSet = true;
    });
    const held = await condition(() => isSet, { timeout: "1m" });
    await step("after", noop);
    return held;
  });
  const run = await runWorkflow(main);
  await run.signals("add", 1);
  expect(run.pending).toEqual(["2 step after"]);
  await run.completes("after");
  expect(run.result).toBe(true);
});

test("with a timeout it is false when time ran out, and the condition is forgotten", async () => {
  let looks = 0;
  const main = workflow("main", async () => {
    const held = await condition(
      () => {
        looks++;
        return false;
      },
      { timeout: "1m" },
    );
    await step("after", noop);
    return held;
  });
  const run = await runWorkflow(main);
  await run.fires("condition");
  const before = looks;
  await run.completes("after");
  expect(looks).toBe(before);
  expect(run.result).toBe(false);
});

test("a signal before the timer in one batch wins, and the other way round", async () => {
  const main = workflow("main", async () => {
    let isSet = false;
    add.handle(() => {
      isSet = true;
    });
    return condition(() => isSet, { timeout: "1m" });
  });
  const signalFirst = await runWorkflow(main);
  await signalFirst.tell(signalFirst.signalEvent("add", 1), signalFirst.fired("condition"));
  expect(signalFirst.result).toBe(true);
  const timerFirst = await runWorkflow(main);
  await timerFirst.tell(timerFirst.fired("condition"), timerFirst.signalEvent("add", 1));
  expect(timerFirst.result).toBe(false);
});

test.each([true, false])("a timeout of 0 looks once: %s", async (holds) => {
  const main = workflow("main", async () => condition(() => holds, { timeout: 0 }));
  const run = await runWorkflow(main);
  expect(run.result).toBe(holds);
  expect(run.changes()).toEqual([]);
});

test("what the predicate throws rejects the wait, at once or later", async () => {
  const main = workflow("main", async () => {
    let isBad = false;
    add.handle(() => {
      isBad = true;
    });
    const atOnce = await condition(() => {
      throw new RangeError("at once");
    }).catch(String);
    const later = await condition(() => {
      if (isBad) throw new RangeError("later");
      return false;
    }).catch(String);
    const timed = await condition(
      () => {
        throw new RangeError("timed");
      },
      { timeout: "1s" },
    ).catch(String);
    return [atOnce, later, timed];
  });
  const run = await runWorkflow(main);
  await run.signals("add", 1);
  expect(run.result).toEqual(["RangeError: at once", "RangeError: later", "RangeError: timed"]);
});

test("only true wakes it: a predicate that answers something truthy goes on waiting", async () => {
  const main = workflow("main", async () => condition((() => "yes") as unknown as () => boolean));
  const run = await runWorkflow(main);
  await run.signals("add", 1);
  expect(run.outcome).toBeUndefined();
});

const askers: Record<string, () => unknown> = {
  step: () => step("inside", noop),
  sleep: () => sleep("1s"),
  condition: () => condition(() => true),
  "receive()": () => add.receive(),
  "handle()": () => add.handle(noop),
};

test.each(Object.keys(askers))("a predicate that asks for %s is refused, looked at once or again", async (asker) => {
  const ask = async (options?: { timeout: number }) => {
    let refusal: unknown;
    const predicate = () => {
      try {
        void Promise.resolve(askers[asker]?.()).catch((error) => {
          refusal = error;
        });
      } catch (error) {
        refusal = error;
      }
      return true;
    };
    await (options === undefined ? condition(predicate) : condition(predicate, options));
    await null;
    return isEverstepError(refusal, "COMMAND_IN_READ_ONLY");
  };
  const main = workflow("main", async () => [await ask(), await ask({ timeout: 1_000 }), await ask({ timeout: 0 })]);
  const run = await runWorkflow(main);
  expect(run.result).toEqual([true, true, true]);
  expect(run.changes()).toEqual([]);
});

test("a condition is asked for outside of a workflow in vain", async () => {
  await expect(condition(() => true)).rejects.toMatchObject({ code: "OUTSIDE_WORKFLOW" });
});

test("conditions wake alike live and at replay of any prefix", async () => {
  let order: string[] = [];
  const main = workflow("main", async () => {
    order = [];
    let total = 0;
    add.handle((n) => {
      total += n;
    });
    const when = async (least: number, timeout: number) => {
      const held = await condition(() => total >= least, { timeout });
      order.push(`${least} ${held}`);
      if (held) await step(`at ${least}`, noop);
    };
    await Promise.all([when(3, 1_000), when(1, 2_000), when(9, 3_000)]);
    return total;
  });
  const run = await runWorkflow(main);
  await run.signals("add", 1);
  await run.signals("add", 2);
  await run.completes("at 3");
  await run.fires("condition");
  await run.completes("at 1");
  expect(run.result).toBe(3);
  const whole = order;
  expect(whole).toEqual(["1 true", "3 true", "9 false"]);
  for (let length = 1; length <= run.history.length; length++) {
    const again = await replay(main, run.history.slice(0, length));
    await again.redeliver(run.history.slice(length));
    expect(order).toEqual(whole);
    expect(again.result).toBe(3);
  }
});
