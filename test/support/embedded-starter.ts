// A process that starts the embedded Postgres in the folder it is told, prints what it got, and stays until it is ended.

import { startEmbeddedPostgres } from "../../runtime/embedded/embedded-postgres.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { systemLog } from "../../runtime/world/system-log.ts";

const world = systemWorld({ log: systemLog({ level: "silent" }) });
const { url, isOwner } = await startEmbeddedPostgres({ world, dataDir: process.argv[2] ?? "" });
process.stdout.write(`${JSON.stringify({ url, isOwner })}\n`);
setInterval(() => {}, 1_000);
