// Who acts on runs: said once to a client, or with a call. It is kept in histories as plain text.

import { assertName } from "../protocol/names.ts";

export interface ActorOptions {
  /**
   * Who does this, in words of your own: a user's name, a service. At most 200 characters, kept in plain text. Default: the
   * `actor` of the client; without one nobody is named.
   */
  readonly actor?: string | undefined;
}

/** `usual`: the client's. Throws ARGUMENT_INVALID. */
export function actingAs({ actor }: ActorOptions, usual: string | undefined): { readonly actor?: string } {
  const who = actor ?? usual;
  if (who === undefined) return {};
  assertName(who, "actor");
  return { actor: who };
}
