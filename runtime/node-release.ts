// Node releases on which stack exhaustion inside an AsyncLocalStorage context ends the process and cannot be caught
// (CVE-2025-59466, fixed in 20.20.0, 22.22.0 and 24.13.0): a workflow that recurses too deep would take its worker along.

import { EverstepError } from "../sdk/protocol/errors.ts";

const FIRST_SOUND: Readonly<Record<number, number>> = { 20: 20, 22: 22, 24: 13 };

/** Throws NODE_UNSUPPORTED. */
export function requireNodeRelease(version: string): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const firstSound = FIRST_SOUND[major];
  if (major > 24 || (firstSound !== undefined && minor >= firstSound)) return;
  const message = `Everstep does not run on Node ${version}. Use 20.20, 22.22, 24.13 or newer: earlier ones can be ended by a deep recursion in workflow code.`;
  throw new EverstepError("NODE_UNSUPPORTED", message, { details: { version } });
}
