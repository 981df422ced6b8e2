// Versions, at the front door: which one a new run is of, and what callers are told of them. What is known is remembered
// for a moment, so that a start with a version costs no more than one without.

import type { Acting, WorkflowVersion, WorkflowVersions } from "../../sdk/client/front-door.ts";
import { attributeValueOf } from "../../sdk/protocol/attributes.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { OPEN_STATUSES } from "../../sdk/protocol/run.ts";
import {
  chooseVersion,
  type VersionAsk,
  type VersionPolicy,
  type VersionPolicyChange,
} from "../../sdk/protocol/version-policy.ts";
import { newestFirst } from "../../sdk/protocol/versions.ts";
import type { StartRequest } from "../store/starts.ts";
import { NO_VERSIONS, type StoredVersions, startedAs, unknownVersion } from "../store/versions.ts";
import type { Desk } from "./desk.ts";
import { assertLimit, DEFAULT_LIST, MAX_LIST } from "./lists.ts";

/** How long what was read is acted by: after that, a policy that was set elsewhere is known here. */
const FRESH_FOR_MS = 1_000;

interface Remembered {
  readonly facts: Promise<StoredVersions>;
  readonly askedAt: number;
}

export class Versions {
  readonly #desk: Desk;
  readonly #remembered = new Map<string, Remembered>();

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** The same start, of the version that it gets. Rejects with VERSION_UNKNOWN. */
  async chosen(request: StartRequest, ask: VersionAsk): Promise<StartRequest> {
    const { workflow, workflowId } = request;
    const choose = async (facts: Promise<StoredVersions>) => chooseVersion(ask, await facts, workflowId);
    // Before it is refused it is looked for once more: a worker may have come that has it.
    let version = await choose(this.#recall(workflow));
    if (version === undefined) version = await choose(this.#read(workflow));
    if (version === undefined) throw unknown(workflow, ask, await this.#recall(workflow));
    return { ...request, version, started: startedAs(request.started, version) };
  }

  /** Rejects with VERSION_UNKNOWN for a version that no worker ever had. */
  async require(workflow: string, version: string): Promise<void> {
    const facts = await this.#read(workflow);
    const ask = { own: null, asked: version };
    if (chooseVersion(ask, facts, "") === undefined) throw unknown(workflow, ask, facts);
  }

  async setPolicy(workflow: string, policy: VersionPolicy | null, { actor }: Acting = {}): Promise<void> {
    for (const version of versionsIn(policy)) await this.require(workflow, version);
    await this.#desk.insist(() => this.#desk.store.setVersionPolicy(workflow, policy, actor));
    this.#remembered.delete(workflow);
  }

  async policyHistory(workflow: string, limit = DEFAULT_LIST): Promise<readonly VersionPolicyChange[]> {
    assertLimit(limit, "versionPolicyHistory");
    return this.#desk.insist(() => this.#desk.store.readPolicyChanges(workflow, limit));
  }

  async list(workflow: string): Promise<WorkflowVersions> {
    const { policy, known } = await this.#read(workflow);
    const counts = await this.#desk.insist(() =>
      this.#desk.store.countRuns({ workflow, status: OPEN_STATUSES, by: "version", limit: MAX_LIST }),
    );
    const open = new Map(
      counts.map(({ value, count }) => [value === null ? null : String(attributeValueOf(value)), count]),
    );
    const versions = [...new Set([...known.map(({ version }) => version), ...versionsIn(policy), ...open.keys()])];
    const ordered = newestFirst(versions.filter((version) => version !== null));
    const rows = [...ordered, ...(open.has(null) ? [null] : [])].map((version): WorkflowVersion => {
      const seen = known.find((each) => each.version === version);
      const isCurrent = policy !== null && policy.current === version;
      const rampPercent = policy?.ramp != null && policy.ramp.version === version ? policy.ramp.percent : 0;
      const openRuns = open.get(version) ?? 0;
      return {
        version,
        isCurrent,
        rampPercent,
        openRuns,
        isDrained: openRuns === 0 && !isCurrent && rampPercent === 0,
        isServed: seen?.isServed ?? false,
        firstSeenAt: seen?.firstSeenAt ?? null,
        lastSeenAt: seen?.lastSeenAt ?? null,
      };
    });
    return { policy, versions: rows };
  }

  #recall(workflow: string): Promise<StoredVersions> {
    const { clock } = this.#desk.world;
    const remembered = this.#remembered.get(workflow);
    const isFresh = remembered !== undefined && clock.monotonic() - remembered.askedAt < FRESH_FOR_MS;
    return isFresh ? remembered.facts : this.#read(workflow);
  }

  #read(workflow: string): Promise<StoredVersions> {
    const { store, world } = this.#desk;
    const reading = this.#desk.insist(() => store.readVersions([workflow]));
    const facts = reading.then((found) => found.get(workflow) ?? NO_VERSIONS);
    this.#remembered.set(workflow, { facts, askedAt: world.clock.monotonic() });
    facts.catch(() => this.#remembered.delete(workflow));
    return facts;
  }
}

function versionsIn(policy: VersionPolicy | null): string[] {
  if (policy === null) return [];
  return [policy.current, ...(policy.ramp === null ? [] : [policy.ramp.version])];
}

function unknown(workflow: string, ask: VersionAsk, facts: StoredVersions): EverstepError {
  const details = { workflow, version: ask.asked, known: facts.known.map(({ version }) => version) };
  return new EverstepError("VERSION_UNKNOWN", unknownVersion(workflow, ask, facts), { details });
}
