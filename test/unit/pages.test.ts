// Histories and mailboxes in pages: all of it, once, in order, and never much more at a time than is wanted.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { MailItem } from "../../runtime/store/mail.ts";
import { historyPages, mailPages } from "../../runtime/store/pages.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";

const LARGE = 2 * 1024 * 1024;

function historyOf(sizes: readonly number[]) {
  const asked: number[] = [];
  const events = sizes.map((size, index): StoredEvent => {
    const payload = size === 0 ? null : "x".repeat(size);
    return { seq: index + 1, at: 0, type: 2, command: 1, name: "step", payload, data: null };
  });
  const readHistory = async (_runId: string, after: number, limit: number) => {
    asked.push(limit);
    return events.slice(after, after + limit);
  };
  return { asked, events, store: { readHistory } };
}

async function all<Item>(pages: AsyncGenerator<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

test("whatever the sizes, every event between two places comes once, in order", async () => {
  const sizes = fc.array(fc.constantFrom(0, 10, 100_000), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat({ max: 220 }), fc.nat({ max: 220 }), async (given, after, count) => {
      const { store, events } = historyOf(given);
      expect(await all(historyPages(store, "run", after))).toEqual(events.slice(after));
      expect(await all(historyPages(store, "run", after, after + count))).toEqual(events.slice(after, after + count));
    }),
    { numRuns: 50 },
  );
});

test("small events come by the hundred, large ones by the one", async () => {
  const small = historyOf(Array(2_000).fill(100));
  await all(historyPages(small.store, "run", 0));
  expect(small.asked).toEqual([10, 500, 500, 500, 500]);
  const large = historyOf(Array(60).fill(LARGE));
  await all(historyPages(large.store, "run", 0));
  expect(large.asked.slice(0, 3)).toEqual([10, 2, 2]);
});

test("a mailbox with gaps is read to its end", async () => {
  const box = Array.from({ length: 700 }, (_, index): MailItem => {
    return { runId: "run", mail: 3 * index + 1, kind: "signal", mailId: `m${index}`, name: "go", payload: null };
  });
  const readMail = async ([from]: readonly { readonly after: number }[], limit: number) =>
    box.filter(({ mail }) => mail > (from?.after ?? 0)).slice(0, limit);
  expect(await all(mailPages({ readMail }, "run", 4))).toEqual(box.slice(2));
});
