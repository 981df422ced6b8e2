// Histories that releases have written replay for ever: each of them, from each of its prefixes, to the end it had.

import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { EVENT_CODES, type HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import { GOLDEN_FOLDER, type GoldenFile } from "../golden/golden-file.ts";
import { GOLDEN_WORKFLOWS } from "../golden/workflows.ts";
import { lookingOn } from "../support/looking-on.ts";
import { type DrivenRun, replay } from "../support/replaying.ts";

beforeAll(installGuards);

const NAMES = readdirSync(GOLDEN_FOLDER).filter((name) => name.endsWith(".golden.json"));
const goldens = NAMES.map((name) => {
  const golden = JSON.parse(readFileSync(new URL(name, GOLDEN_FOLDER), "utf8")) as GoldenFile;
  return { name, ...golden };
});

function workflowOf({ workflow }: GoldenFile) {
  const found = GOLDEN_WORKFLOWS.find(({ name }) => name === workflow);
  if (found === undefined) throw new Error(`no workflow "${workflow}" in test/golden/workflows.ts`);
  return found;
}

function eventsOf(golden: GoldenFile): HistoryEvent[] {
  return golden.events.map((record) => {
    const event = fromRecord(record);
    if (event === undefined) throw new Error(`event ${record.seq} cannot be read`);
    return event;
  });
}

/** What the closing event must agree with; stacks differ from machine to machine. */
function endOf(run: DrivenRun): unknown {
  const { outcome } = run;
  if (outcome === undefined) return undefined;
  if (outcome.type === "continued") return outcome.next.input;
  return outcome.type === "completed" ? outcome.result : withoutStack(outcome.failure);
}

function withoutStack(failure: object): unknown {
  return JSON.parse(JSON.stringify(failure), (key, value) => (key === "stack" ? undefined : value));
}

function expectedEnd(last: HistoryEvent | undefined): unknown {
  if (last?.type === "RunCompleted") return last.result;
  if (last?.type === "RunContinued") return last.retry === undefined ? last.input : withoutStack(last.retry.failure);
  return last?.type === "RunFailed" || last?.type === "RunCanceled" ? withoutStack(last.failure) : undefined;
}

test("every type of event is in a golden history", () => {
  const kept = new Set(goldens.flatMap(({ events }) => events.map(({ type }) => type)));
  expect([...kept].sort((a, b) => a - b)).toEqual(Object.values(EVENT_CODES));
});

test.each(goldens)("$name is named for its release and its subject", ({ name, release, subject }) => {
  expect(name).toBe(`${release}-${subject}.golden.json`);
});

test.each(goldens)("$name is read and would be written the same", (golden) => {
  for (const [index, event] of eventsOf(golden).entries()) {
    expect({ seq: event.seq, at: event.at, ...toRecord(event) }).toEqual(golden.events[index]);
  }
});

const looking = lookingOn();
const AROUND = {
  "without interceptors": undefined,
  "with interceptors around all that is asked for": WorkflowHooks.of([looking.interceptor.workflow]),
};

describe.each(Object.entries(AROUND))("%s", (_how, hooks) => {
  test.each(goldens)("$name leads to its end from each of its prefixes", async (golden) => {
    const workflow = workflowOf(golden);
    const before = looking.asked.length;
    const events = eventsOf(golden);
    for (let length = 1; length <= events.length; length++) {
      const run = await replay(workflow, events.slice(0, length), { foreseen: events, hooks });
      expect(run.engine.broken?.message).toBeUndefined();
      await run.redeliver(events.slice(length));
      expect(run.engine.broken?.message).toBeUndefined();
      expect(endOf(run)).toEqual(expectedEnd(events.at(-1)));
      const last = events.at(-1);
      if (last !== undefined && "unread" in last) expect(run.engine.unreadSignals()).toEqual(last.unread);
    }
    const asks = events.some((event) => "command" in event);
    expect(looking.asked.length > before).toBe(hooks !== undefined && asks);
  });
});
