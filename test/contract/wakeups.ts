// The one suite that every kind of wake-ups must pass. Each `open` is another process on the same server. Hints may be
// lost, so what must arrive is published until it does; that something did not arrive is only said after a later hint
// on the same way has.

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Topic, Wakeups } from "../../runtime/wake/wakeups.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import type { World } from "../../runtime/world/world.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";

export interface WakeStage {
  open(world: World): Wakeups;
  close(): Promise<void>;
}

export function wakeupsContract(name: string, openStage: () => Promise<WakeStage>): void {
  describe(`wake-ups over ${name}`, () => {
    let stage: WakeStage | undefined;
    let opened: Wakeups[] = [];
    const log = new RecordedLog();
    const open = (): Wakeups => {
      const wakeups = stage?.open(systemWorld({ log }));
      if (wakeups === undefined) throw new Error("The stage is not open.");
      opened.push(wakeups);
      return wakeups;
    };
    const topic = (): Topic => `run/${randomUUID()}`;

    beforeAll(async () => {
      stage = await openStage();
    });
    afterEach(async () => {
      await Promise.all(opened.map((wakeups) => wakeups.close()));
      opened = [];
      log.lines.length = 0;
    });
    afterAll(() => stage?.close());

    /** Publishes until it is heard. */
    const arrives = (from: Wakeups, to: Wakeups, on: Topic = topic()): Promise<unknown> => {
      let calls = 0;
      const stop = to.subscribe(on, () => calls++);
      return eventually(`a hint on ${on.slice(0, 60)} arrives`, () => {
        from.publish([on]);
        return calls > 0;
      }).finally(stop);
    };

    test("a hint reaches a subscriber in another process", async () => {
      const [here, there] = [open(), open()];
      await arrives(here, there);
      await arrives(there, here);
    });

    test("a hint reaches the subscribers of the same process", async () => {
      const wakeups = open();
      await arrives(wakeups, wakeups);
    });

    test("a hint is told soon, never while it is being published", async () => {
      const wakeups = open();
      const on = topic();
      let calls = 0;
      wakeups.subscribe(on, () => calls++);
      wakeups.publish([on]);
      expect(calls).toBe(0);
      await eventually("it is told", () => calls > 0);
    });

    test("of a subscription's hints, only its own are told, and none after it stopped", async () => {
      const [here, there] = [open(), open()];
      const [heard, other, stopped] = [topic(), topic(), topic()];
      const calls: Topic[] = [];
      there.subscribe(heard, () => calls.push(heard));
      const stop = there.subscribe(stopped, () => calls.push(stopped));
      await eventually("both are subscribed", () => {
        here.publish([heard, stopped]);
        return calls.includes(heard) && calls.includes(stopped);
      });
      stop();
      stop();
      calls.length = 0;
      await eventually("the later hint is told", () => {
        here.publish([stopped, other]);
        here.publish([heard]);
        return calls.includes(heard);
      });
      expect(new Set(calls)).toEqual(new Set([heard]));
    });

    test("two subscriptions of one function are two, and stop one by one", async () => {
      const [here, there] = [open(), open()];
      const on = topic();
      const first = { calls: 0 };
      const listen = () => first.calls++;
      const stop = there.subscribe(on, listen);
      there.subscribe(on, listen);
      stop();
      await eventually("the second still hears", () => {
        here.publish([on]);
        return first.calls > 0;
      });
    });

    test("a listener that throws is logged and harms no other", async () => {
      const [here, there] = [open(), open()];
      const on = topic();
      there.subscribe(on, () => {
        throw new Error("a listener's own");
      });
      await arrives(here, there, on);
      expect(log.at("error").length).toBeGreaterThan(0);
    });

    test("thousands of topics published at once all arrive", async () => {
      const [here, there] = [open(), open()];
      const topics = Array.from({ length: 3_000 }, topic);
      const heard = new Set<Topic>();
      for (const on of topics) there.subscribe(on, () => heard.add(on));
      await eventually("all are heard", () => {
        here.publish(topics.filter((on) => !heard.has(on)));
        return heard.size === topics.length;
      });
    });

    test("names with spaces, quotes and other scripts arrive", async () => {
      const [here, there] = [open(), open()];
      const odd = `queue/späte "Züge" 'nach' \\ 東京 🚆 ${randomUUID()}` as const;
      await arrives(here, there, odd);
    });

    test("publishing while subscribers come and go loses no later hint", async () => {
      const [here, there] = [open(), open()];
      const on = topic();
      for (let round = 0; round < 20; round++) there.subscribe(on, () => {})();
      await arrives(here, there, on);
    });

    test("once closed, everything is harmless and nothing is told", async () => {
      const [here, there] = [open(), open()];
      const on = topic();
      let calls = 0;
      there.subscribe(on, () => calls++);
      await eventually("it is subscribed", () => {
        here.publish([on]);
        return calls > 0;
      });
      await there.close();
      await there.close();
      calls = 0;
      there.publish([on]);
      there.subscribe(on, () => calls++)();
      const witness = open();
      await arrives(here, witness, on);
      expect(calls).toBe(0);
    });

    test("what was published just before the close still goes out", async () => {
      const there = open();
      const on = topic();
      let calls = 0;
      there.subscribe(on, () => calls++);
      await arrives(open(), there, on);
      const before = calls;
      const leaving = open();
      await arrives(there, leaving);
      leaving.publish([on]);
      await leaving.close();
      await eventually("it is heard", () => calls > before);
    });
  });
}

/** Hints keep their order on the way between two processes: once a new one has been heard, none before it is under way. */
export async function everythingSentIsHeard(from: Wakeups, to: Wakeups): Promise<void> {
  const last: Topic = `run/${randomUUID()}`;
  let calls = 0;
  const stop = to.subscribe(last, () => calls++);
  await eventually("the last hint is heard", () => {
    from.publish([last]);
    return calls > 0;
  });
  stop();
}
