// What authors of tests import as "everstep/testing".

export type { MemoryTransaction } from "../store/memory/memory-store.ts";
export type { Log } from "../world/world.ts";
export {
  type AdvanceOptions,
  type TestEnvironment,
  type TestEnvironmentOptions,
  testEnvironment,
} from "./environment.ts";
export { collectHistory, type HistorySource, type RecordedHistory } from "./recorded-history.ts";
export { replayHistory } from "./replay-history.ts";
