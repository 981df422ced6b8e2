// Versions of a workflow, as semver has them: what one is, which is newer, which a range means. The one place that knows
// the library.

import semver from "semver";
import { EverstepError } from "./errors.ts";

/** Asks for what the policy of the workflow says. */
export const BY_POLICY = "policy";

/** Refuses what is no version. `what` names the argument. Throws ARGUMENT_INVALID. */
export function assertVersion(version: unknown, what: string): asserts version is string {
  if (isVersion(version)) return;
  const message = `${what} takes a semantic version in full, such as "1.4.0" or "2.0.0-beta.1"; got ${shown(version)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}

/** Refuses what is no version, no range of them, and not "policy". Throws ARGUMENT_INVALID. */
export function assertVersionChoice(choice: unknown, what: string): asserts choice is string {
  const isRange = typeof choice === "string" && choice.trim() !== "" && semver.validRange(choice) !== null;
  if (choice === BY_POLICY || isVersion(choice) || isRange) return;
  const message = `${what} takes a version such as "1.4.0", a range such as "^1.2", or "${BY_POLICY}"; got ${shown(choice)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}

/** In one way of writing only, so that equal versions are equal texts: no "v", no parts left out, no build metadata. */
export function isVersion(version: unknown): version is string {
  return typeof version === "string" && semver.valid(version) === version;
}

/** The newest that fits. Pre-releases fit only ranges that name one of the same version. */
export function newestIn(versions: readonly string[], range: string): string | null {
  return semver.maxSatisfying([...versions], range);
}

/** A new list. */
export function newestFirst(versions: readonly string[]): string[] {
  return semver.rsort([...versions]);
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
