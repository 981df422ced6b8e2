// The queues of locks and semaphores in memory: as in the database, with the same words.

import { invariant } from "../../../sdk/protocol/errors.ts";
import type { ListedLock } from "../../../sdk/protocol/listed-lock.ts";
import type { ListLocksRequest, LockGrant, LockHandOver, LockRelease, LockRequest } from "../locks.ts";
import type { RunTable } from "./run-table.ts";

interface Place {
  request: LockRequest;
  readonly requestedAt: number;
  grant: { readonly fencingToken: number; readonly at: number } | null;
}

export class Locks {
  /** Of each key that somebody has asked for, in order. */
  readonly #queues = new Map<string, Place[]>();
  readonly #runs = new Map<string, Set<Place>>();
  #fencingToken = 0;

  /** Lets go first, then asks; answers what is granted by it. */
  change(releases: readonly LockRelease[], requests: readonly LockRequest[], now: number): LockGrant[] {
    const keys = new Set<string>();
    for (const release of releases) for (const key of this.#release(release)) keys.add(key);
    for (const request of requests) {
      this.#enter({ request, requestedAt: now, grant: null });
      keys.add(request.key);
    }
    return [...keys].flatMap((key) => this.#grant(key, now));
  }

  /** Before `from` lets go of what it has. Answers the requests that have a place now, and what is granted by it. */
  handOver(
    { from, to }: LockHandOver,
    asked: readonly LockRequest[],
    now: number,
  ): { readonly placed: readonly LockRequest[]; readonly grants: LockGrant[] } {
    const placed: LockRequest[] = [];
    const grants: LockGrant[] = [];
    for (const place of [...(this.#runs.get(from) ?? [])]) {
      const { command, key } = place.request;
      const request = asked.find((each) => each.runId === to && each.command === command && each.key === key);
      if (request === undefined) continue;
      this.#runs.get(from)?.delete(place);
      place.request = request;
      this.#runs.set(to, (this.#runs.get(to) ?? new Set()).add(place));
      placed.push(request);
      if (place.grant !== null) grants.push(this.#give(place, now));
    }
    return { placed, grants };
  }

  list({ key, limit }: ListLocksRequest, table: RunTable): ListedLock[] {
    const keys = key === null ? [...this.#queues.keys()].sort() : [key];
    const places = keys.flatMap((each) => this.#queues.get(each) ?? []).slice(0, limit);
    return places.map(({ request: { isRegained: _, ...request }, requestedAt, grant }) => {
      const { workflowId = "", workflow = "" } = table.get(request.runId) ?? {};
      const granted = { fencingToken: grant?.fencingToken ?? null, grantedAt: grant?.at ?? null };
      return { ...request, workflowId, workflow, requestedAt, ...granted };
    });
  }

  #enter(place: Place): void {
    const { runId, key, command } = place.request;
    const own = this.#runs.get(runId) ?? new Set();
    invariant(![...own].some(({ request }) => request.command === command), "a command asks once", { runId, command });
    this.#runs.set(runId, own.add(place));
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [place]);
    else queue.push(place);
  }

  /** Answers the keys. */
  #release({ runId, command }: LockRelease): string[] {
    const own = this.#runs.get(runId) ?? new Set();
    const leaving = [...own].filter(({ request }) => command === null || request.command === command);
    for (const place of leaving) {
      own.delete(place);
      const { key } = place.request;
      const queue = this.#queues.get(key) ?? [];
      queue.splice(queue.indexOf(place), 1);
      if (queue.length === 0) this.#queues.delete(key);
    }
    if (own.size === 0) this.#runs.delete(runId);
    return leaving.map(({ request }) => request.key);
  }

  #grant(key: string, now: number): LockGrant[] {
    const granted: LockGrant[] = [];
    let permits = 0;
    let capacity = Number.POSITIVE_INFINITY;
    for (const place of this.#queues.get(key) ?? []) {
      permits += place.request.permits;
      capacity = Math.min(capacity, place.request.capacity);
      if (place.grant !== null) continue;
      if (permits > capacity) break;
      granted.push(this.#give(place, now));
    }
    return granted;
  }

  #give(place: Place, now: number): LockGrant {
    this.#fencingToken += 1;
    place.grant = { fencingToken: this.#fencingToken, at: now };
    const { runId, command, key, isRegained = false } = place.request;
    return { runId, command, key, fencingToken: this.#fencingToken, isRegained };
  }
}
