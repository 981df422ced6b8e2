// A store that does some things in a test's own way, and all others as ever.

import type { Store } from "../../runtime/store/store.ts";

/** The store, with `own` in the place of its calls of the same names. */
export function withCalls(store: Store, own: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const instead = own[name];
      if (instead !== undefined) return instead;
      const part: unknown = target[name];
      return typeof part === "function" ? part.bind(target) : part;
    },
  });
}
