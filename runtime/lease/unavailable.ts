// The one way a lease call fails, whoever keeps the leases.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { bareCause, describeFailure } from "../world/secrets.ts";

export interface LeaseCall {
  readonly keeper: "Redis" | "Postgres" | "memory";
  readonly call: "renew" | "release" | "expired";
  /** Whose lease; absent where a call asks about many. */
  readonly workerId?: string;
}

/** `url` is only used to keep its password out of what is said. */
export function leaseUnavailable({ keeper, call, workerId }: LeaseCall, error: unknown, url = ""): EverstepError {
  const whose = workerId === undefined ? "the leases of others" : `the lease of worker ${workerId}`;
  const did = { renew: "renew", release: "release", expired: "judge" }[call];
  const message = `Could not ${did} ${whose} in ${keeper}: ${describeFailure(error, url)}. Nothing is known to be lost; the call is worth repeating.`;
  return new EverstepError("LEASE_UNAVAILABLE", message, {
    details: { keeper, call, ...(workerId === undefined ? {} : { workerId }) },
    cause: bareCause(error, url),
  });
}
