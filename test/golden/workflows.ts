// The workflows whose histories are kept as golden files. Each must replay for ever: add new ones beside them, and change
// nothing in those that have a recording.

import {
  allHandlersFinished,
  condition,
  defineAttributes,
  defineSemaphore,
  defineSignal,
  defineStep,
  defineUpdate,
  deprecatePatch,
  executeChild,
  externalRun,
  nonCancellable,
  PermanentError,
  patched,
  saga,
  note as say,
  setCurrentDetails,
  sleep,
  startChild,
  step,
  upsertAttributes,
  upsertMemo,
  withLock,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";

export const approve = defineSignal<{ by: string }>("approve");
export const note = defineSignal<string>("note");
const charge = defineStep("charge", (input: { card: string; total: number }) => `receipt of ${input.total}`);

export const order = workflow("order", async (input: { card: string; total: number; at: Date }) => {
  const notes: string[] = [];
  note.handle((text) => {
    notes.push(text);
  });
  const drawn = { dice: Math.floor(Math.random() * 1e9), id: crypto.randomUUID(), from: input.at.getUTCFullYear() };
  const receipt = await charge(input);
  const flaky = await step(
    "flaky",
    ({ attempt, heartbeat, lastHeartbeat }) => {
      heartbeat({ attempt });
      if (attempt < 3) throw new RangeError(`attempt ${attempt}`);
      return lastHeartbeat;
    },
    { retry: { initialInterval: 1, maxInterval: 2 } },
  );
  const refused = await step("refused", () => Promise.reject(new PermanentError("no"))).catch(String);
  const first = await Promise.race([sleep(60_000).then(() => "slow"), sleep(5).then(() => "quick")]);
  const both = await Promise.all([step("label", () => ({ by: new Map([["a", 1n]]) })), step("invoice", () => null)]);
  const approval = await approve.receive({ timeout: "1h" });
  const nobody = await approve.receive({ timeout: 5 });
  const isNoted = await condition(() => notes.length >= 2, { timeout: "1h" });
  return { drawn, receipt, flaky, refused, first, both, approval, nobody, isNoted, notes };
});

export const failing = workflow("failing", async () => {
  await step("declined", () => Promise.reject(new TypeError("no funds")), { retry: { maxAttempts: 1 } });
});

export const stopped = workflow("stopped", async () => {
  try {
    await Promise.all([
      sleep("1h"),
      step(
        "hanging",
        ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ),
    ]);
  } finally {
    await nonCancellable(() => step("undo", () => "undone"));
  }
});

export const undone = workflow("undone", async () => {
  await step("look", () => {});
  return saga(async (undo) => {
    await step("book", () => {});
    undo.add("book", () => step("cancel", () => {}));
    await step("pay", () => Promise.reject(new PermanentError("no funds")));
  });
});

export const endless = workflow("endless", async () => {
  await step("begin", () => {});
  await approve.receive();
});

export const countdown = workflow("countdown", async (left: number): Promise<string> => {
  await step("tick", () => left);
  return left > 0 ? countdown.continueAsNew(left - 1) : "lift-off";
});

export const doubled = workflow("doubled", async (n: number) => step("double", () => n * 2));

export const family = workflow("family", async () => {
  const [first, second] = [startChild(doubled, { input: 1, id: "golden-child" }), startChild(failing)];
  const taken = await startChild(doubled, { input: 2, id: "golden-child" }).started.catch((error) => error.code);
  const nobody = await externalRun("golden-nobody")
    .signal(note, "hello")
    .catch((error) => error.code);
  const told = await externalRun("golden-told").signal(note, "hello");
  const ends = [await first.result, await second.result.catch((error) => error.name)];
  return { taken, nobody, told, ends, again: await executeChild(doubled, { input: 3 }) };
});

export const following = workflow("following", async () => {
  const child = startChild(shared, { id: "golden-followed" });
  const told = externalRun("golden-told").signal(note, "hello");
  return [child.workflowId, await told, await child.result];
});

export const add = defineUpdate<number, number>("add");

export const tally = workflow("tally", async () => {
  let sum = 0;
  add.handle(
    async (n) => {
      if (n === 13) throw new RangeError("not thirteen");
      sum += await step(`look at ${n}`, () => n);
      return sum;
    },
    {
      validate: (n) => {
        if (n < 0) throw new RangeError("below zero");
      },
    },
  );
  await condition(() => sum >= 3);
  await condition(allHandlersFinished);
  return sum;
});

export const changed = workflow("changed", async () => {
  const ways: string[] = [];
  note.handle((text) => {
    ways.push(`${text}: ${patched("noted") ? "new" : "old"}`);
  });
  const both = ["left", "right"].map(async (side) => {
    await step(side, () => side);
    ways.push(`${side}: ${patched("split") ? "new" : "old"}`);
  });
  await Promise.all(both);
  deprecatePatch("settled");
  const approval = await approve.receive();
  return { ways, approval, isLast: patched("last") };
});

export const data = defineAttributes({ customer: "keyword", amount: "double", dueAt: "datetime", tags: "keywordList" });

export const told = workflow("told", async () => {
  upsertAttributes(data({ amount: 12.5, customer: null }));
  await step("price", () => 13);
  upsertMemo({ priced: { at: new Date(0) }, note: null });
  upsertAttributes(data({ amount: 13, dueAt: new Date(5), tags: ["a", "b"] }));
  return [workflowInfo().attributes, workflowInfo().memo];
});

export const handedOff = workflow("handedOff", async () => {
  const first = await step<string>("sign", ({ completeLater }) => completeLater(), {
    retry: { initialInterval: 1, maxInterval: 1 },
    heartbeatTimeout: "1h",
  });
  const second = await Promise.race([
    step<string>("stamp", ({ completeLater }) => completeLater()),
    approve.receive().then(() => "approved"),
  ]);
  await approve.receive();
  return [first, second];
});

export const summarized = workflow("summarized", async () => {
  await step("one", () => 1, { summary: "the first of Zoë's steps" });
  await sleep(5, { summary: "a moment" });
  const flaky = ({ attempt }: { readonly attempt: number }) => {
    if (attempt === 1) throw new Error("not yet");
    throw new PermanentError("never");
  };
  await step("flaky", flaky, { summary: "tries in vain", retry: { initialInterval: 5 } }).catch(() => {});
});

export const noted = workflow("noted", async () => {
  say("begun");
  setCurrentDetails("pricing");
  await step("price", () => 13);
  say("warn", "dear");
  say("error", "the last one\n\u0000");
});

export const carried = workflow("carried", async () => {
  const inStep = await step("look", ({ headers }) => headers);
  return [inStep, workflowInfo().headers];
});

export const retried = workflow(
  "retried",
  async (word: string) => {
    const { attempt, lastFailure } = workflowInfo();
    const inStep = await step("look", () => `${word} ${attempt}`);
    if (attempt < 3) throw new RangeError(`${inStep} fell`, { cause: new Error("wind") });
    return [inStep, lastFailure?.message, await note.receive()];
  },
  { retry: { initialInterval: 1, maxInterval: 1 } },
);

export const shared = workflow("shared", async () => note.receive());

export const sharing = workflow("sharing", async () =>
  executeChild(shared, { id: "golden-shared", onConflict: "useExisting" }),
);

const permits = defineSemaphore("golden permits", { permits: 3 });

export const takesTurns = workflow("takesTurns", async () => {
  const first = await withLock("golden", ({ fencingToken }) => step("hold", () => fencingToken), { timeout: "1h" });
  const second = await permits.with(({ permits: taken }) => step("use", () => taken), { permits: 2 });
  const late = await withLock("golden held", () => "never", { timeout: 1 }).catch((error: Error) => error.message);
  return [first, second, late, await withLock("golden", () => approve.receive())];
});

/** Has what another waits for in vain. */
export const inTheWay = workflow("inTheWay", async () => withLock("golden held", () => note.receive()));

export const regains = workflow("regains", async () =>
  withLock("golden regained", async (lock) => {
    const before = lock.fencingToken;
    await step("look", () => "seen");
    const { by } = await approve.receive();
    return step("use", () => [by, lock.fencingToken > before]);
  }),
);

let isMended = false;

export const repaired = workflow("repaired", async () => {
  const before = crypto.randomUUID();
  await step("look", () => "broken");
  const word = await step(
    "mend",
    () => {
      if (isMended) return "mended";
      isMended = true;
      throw new Error("broken");
    },
    { retry: { maxAttempts: 1 } },
  );
  return [before, word, crypto.randomUUID()];
});

/** Its step is tried again, its sleep and its receiving are ended, before their time. */
export const hurried = workflow("hurried", async () => {
  const attempt = await step("look", ({ attempt: nth }) => (nth > 2 ? nth : Promise.reject(new Error("not yet"))), {
    retry: { initialInterval: "1h", jitter: 0 },
  });
  await sleep("1 day");
  const decided = await approve.receive({ timeout: "1 day" });
  return [attempt, decided, await note.receive()];
});

/** Moved to no version and back before anybody has it. */
export const moved = workflow("moved", async () => [await step("look", () => 1), workflowInfo().version], {
  version: "1.0.0",
});

const KIN = [countdown, retried, shared, sharing, doubled, family, following];
const WORDS = [told, noted, summarized];

export const GOLDEN_WORKFLOWS = [
  order,
  failing,
  stopped,
  undone,
  endless,
  tally,
  changed,
  ...WORDS,
  carried,
  handedOff,
  repaired,
  takesTurns,
  inTheWay,
  regains,
  hurried,
  moved,
  ...KIN,
];
