// A golden file: the history of a real run in stored form, as the release in its name wrote it.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";

export interface GoldenFile {
  readonly release: string;
  readonly subject: string;
  readonly workflow: string;
  readonly events: readonly StoredEvent[];
}

export const GOLDEN_FOLDER = new URL(".", import.meta.url);
