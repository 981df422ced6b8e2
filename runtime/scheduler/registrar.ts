// Says which versions of workflows this worker has, when it starts and from time to time: so starts know which versions there
// are, and people which of them are still served.

import type { VersionKey } from "../store/lanes.ts";
import type { WorkerStore } from "../store/store.ts";
import { SERVED_WITHIN_MS } from "../store/versions.ts";
import type { World } from "../world/world.ts";
import { Sweep } from "./sweep.ts";

interface HavingVersions {
  readonly keys: readonly VersionKey[];
}

/** Workers without versions have nothing to say. */
export async function registerCode(
  store: Pick<WorkerStore, "registerVersions">,
  { keys }: HavingVersions,
): Promise<void> {
  const versions = keys.filter(({ version }) => version !== null);
  if (versions.length > 0) await store.registerVersions(versions);
}

export interface RegistrarOptions {
  readonly store: Pick<WorkerStore, "registerVersions">;
  readonly world: World;
  readonly code: HavingVersions;
  /** At the most this often. */
  readonly everyMs: number;
}

/** None where there is nothing to say. */
export function registrars({ store, world, code, everyMs }: RegistrarOptions): Sweep[] {
  if (code.keys.every(({ version }) => version === null)) return [];
  const sweep = () => registerCode(store, code);
  return [new Sweep({ name: "registrar", world, everyMs: Math.max(everyMs, SERVED_WITHIN_MS / 4), sweep })];
}
