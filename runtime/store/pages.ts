// A run's history and mailbox, page by page. How many rows a page may have follows from how large the last ones were: many
// small ones at once, large ones one by one.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { MailItem } from "./mail.ts";
import type { Store } from "./store.ts";

const FIRST_ROWS = 10;
const MOST_ROWS = 500;
const WANTED_CHARACTERS = 4 * 1024 * 1024;

/** Events after `after`, up to `last` where that is given. */
export function historyPages(
  store: Pick<Store, "readHistory">,
  runId: string,
  after: number,
  last = Number.POSITIVE_INFINITY,
): AsyncGenerator<readonly StoredEvent[]> {
  const read = (seq: number, limit: number) => store.readHistory(runId, seq, limit);
  return pagesOf(after, last, read, ({ seq }) => seq);
}

/** All mail after a place in the mailbox. */
export function mailPages(
  store: Pick<Store, "readMail">,
  runId: string,
  after: number,
): AsyncGenerator<readonly MailItem[]> {
  const read = (place: number, limit: number) => store.readMail([{ runId, after: place }], limit);
  return pagesOf(after, Number.POSITIVE_INFINITY, read, ({ mail }) => mail);
}

async function* pagesOf<Item extends StoredEvent | MailItem>(
  from: number,
  last: number,
  read: (after: number, limit: number) => Promise<readonly Item[]>,
  placeOf: (item: Item) => number,
): AsyncGenerator<readonly Item[]> {
  let [after, limit] = [from, FIRST_ROWS];
  while (after < last) {
    const asked = Math.min(limit, last - after);
    const page = await read(after, asked);
    if (page.length > 0) yield page;
    if (page.length < asked) return;
    after = placeOf(page.at(-1) as Item);
    limit = nextLimit(page);
  }
}

function nextLimit(page: readonly (StoredEvent | MailItem)[]): number {
  const characters = page.reduce((sum, item) => sum + (item.payload?.length ?? 0) + dataLength(item), 0);
  const wanted = Math.floor((WANTED_CHARACTERS * page.length) / Math.max(characters, 1));
  return Math.max(1, Math.min(MOST_ROWS, wanted));
}

function dataLength(item: StoredEvent | MailItem): number {
  return "data" in item ? (item.data?.length ?? 0) : 0;
}
