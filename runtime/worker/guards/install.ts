// Puts the history's clock and chance in place of the globals for workflow code, and refuses it the outside world. Once
// per process; everything that is not workflow code, steps included, goes on seeing the real ones. This is a guard rail
// for honest code, not a sandbox: workflows are ordinary functions in an ordinary process.

import { syncBuiltinESMExports } from "node:module";
import { guardGlobals } from "./globals.ts";
import { guardIo } from "./io.ts";

const INSTALLED = Symbol.for("everstep.guards.v1");

export function installGuards(): void {
  const registry = globalThis as { [INSTALLED]?: true };
  if (registry[INSTALLED] === true) return;
  registry[INSTALLED] = true;
  guardGlobals();
  guardIo();
  // `import { readFile } from "node:fs/promises"` sees what was replaced in the module, too.
  syncBuiltinESMExports();
}
