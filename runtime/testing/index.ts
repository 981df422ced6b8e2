// What authors of tests import as "everstep/testing".

export type { MemoryTransaction } from "../store/memory/memory-store.ts";
export type { Log } from "../world/world.ts";
export { type CheckedHistory, type CheckRunsOptions, checkHistories, checkRuns } from "./check-histories.ts";
export { type CrashOptions, type CrashReport, crashEverywhere } from "./crash-everywhere.ts";
export {
  type AdvanceOptions,
  type TestEnvironment,
  type TestEnvironmentOptions,
  testEnvironment,
} from "./environment.ts";
export type { Plan } from "./experiment.ts";
export type { Faults } from "./faults.ts";
export { type InterleavingOptions, interleavings } from "./interleavings.ts";
export { collectHistory, type HistorySource, type RecordedHistory } from "./recorded-history.ts";
export { type PrefixOptions, replayEveryPrefix } from "./replay-every-prefix.ts";
export { type ReplayFolderOptions, replayFolder } from "./replay-folder.ts";
export { type ReplayOptions, replayHistory } from "./replay-history.ts";
export type { SeedReport } from "./seeded-executions.ts";
export type { MockStep, MockStepOptions, StepCall, StepMock } from "./step-mocks.ts";
export { type FaultOptions, underFaults } from "./under-faults.ts";
