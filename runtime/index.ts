// What operators import as "everstep/runtime".

export { type Embedded, type EmbeddedOptions, embedded } from "./embed.ts";
export type { ConnectionOptions } from "./runtime.ts";
export { type MigrateOptions, migrate } from "./store/postgres/migrate.ts";
export type { WorkerSettings } from "./worker/settings.ts";
export type { WorkerStats } from "./worker/worker-loop.ts";
export { Worker, type WorkerOptions } from "./worker.ts";
export type { LogLevel } from "./world/system-log.ts";
export type { Log } from "./world/world.ts";
