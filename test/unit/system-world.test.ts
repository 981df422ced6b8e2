import { afterEach, expect, test, vi } from "vitest";
import { systemChance, systemClock, systemWorld } from "../../runtime/world/system.ts";
import { systemLog } from "../../runtime/world/system-log.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const fired = (ms: number): Promise<number> => {
  const from = systemClock.monotonic();
  const alive = setInterval(() => {}, 1_000); // the timer under test does not keep the process going by itself
  return new Promise((resolve) => {
    systemClock.setTimer(ms, () => {
      clearInterval(alive);
      resolve(systemClock.monotonic() - from);
    });
  });
};

test("a timer never fires before its time, by the monotonic clock", async () => {
  const waits = [0, 0.4, 1, 1.5, 7, 13.3];
  for (const [index, waited] of (await Promise.all(waits.map(fired))).entries()) {
    expect(waited).toBeGreaterThanOrEqual(waits[index] ?? Number.POSITIVE_INFINITY);
  }
});

test("a wait beyond what setTimeout keeps is not cut short", async () => {
  let isFired = false;
  const cancel = systemClock.setTimer(2 ** 40, () => {
    isFired = true;
  });
  await fired(20); // setTimeout(f, 2 ** 40) fires after 1 ms
  expect(isFired).toBe(false);
  cancel();
});

test("a canceled timer does not fire, and canceling late or twice is harmless", async () => {
  let count = 0;
  const cancel = systemClock.setTimer(5, () => {
    count++;
  });
  cancel();
  cancel();
  await fired(15);
  expect(count).toBe(0);
  const cancelLate = systemClock.setTimer(1, () => {
    count++;
  });
  await fired(10);
  cancelLate();
  expect(count).toBe(1);
});

test("afterDrain calls after every promise reaction the current work leads to", async () => {
  const order: string[] = [];
  const drained = new Promise<void>((resolve) => {
    systemClock.afterDrain(() => {
      order.push("drained");
      resolve();
    });
  });
  let chain = Promise.resolve();
  for (let i = 0; i < 50; i++) chain = chain.then(() => void order.push(`reaction ${i}`));
  await drained;
  expect(order).toHaveLength(51);
  expect(order.at(-1)).toBe("drained");
});

test("guarded globals do not reach the system's clock and chance", async () => {
  const guarded = (): never => {
    throw new Error("guarded");
  };
  vi.spyOn(Date, "now").mockImplementation(guarded);
  vi.spyOn(crypto, "randomUUID").mockImplementation(guarded);
  vi.stubGlobal("setTimeout", guarded);
  vi.stubGlobal("setImmediate", guarded);
  vi.stubGlobal("Date", guarded);
  const lines: string[] = [];
  const { clock, chance } = systemWorld();
  systemLog({ writeLine: (line) => lines.push(line) }).info({}, "still works");

  expect(clock.now()).toBeGreaterThan(1_600_000_000_000);
  expect(chance.uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(lines).toHaveLength(1);
  await fired(1);
  await new Promise<void>((resolve) => clock.afterDrain(resolve));
});

test("chance draws floats in [0, 1) that fill the interval", () => {
  const tenths = new Set<number>();
  for (let i = 0; i < 2_000; i++) {
    const value = systemChance.float();
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThan(1);
    tenths.add(Math.floor(value * 10));
  }
  expect(tenths.size).toBe(10); // missing one by chance: 10 * 0.9^2000
});

test("a log line is one JSON object with constant names and an error told with code, details and cause", () => {
  const lines: string[] = [];
  const log = systemLog({ level: "info", writeLine: (line) => lines.push(line) });
  const error = new EverstepError("LEASE_LOST", "The lease ran out.", {
    details: { workerId: "w1" },
    cause: Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }),
  });
  log.debug({}, "too fine");
  log.warn({ runId: "r1", error }, "run given up");

  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    level: "warn",
    at: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/),
    service: "everstep",
    pid: process.pid,
    runId: "r1",
    error: {
      name: "EverstepError",
      message: "The lease ran out.",
      code: "LEASE_LOST",
      retryable: true,
      details: { workerId: "w1" },
      stack: expect.any(String),
      cause: { name: "Error", message: "read ECONNRESET", code: "ECONNRESET", stack: expect.any(String) },
    },
    message: "run given up",
  });
});

test("an error that is its own cause is still told", () => {
  const lines: string[] = [];
  const error = new Error("round and round");
  error.cause = error;
  systemLog({ writeLine: (line) => lines.push(line) }).error({ error }, "odd");
  expect(JSON.parse(lines[0] ?? "").error.cause).toBe("round and round");
});
