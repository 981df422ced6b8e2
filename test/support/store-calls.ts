// A store that does some things in a test's own way, and all others as ever.

import type { LoadedHistory } from "../../runtime/store/claims.ts";
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

/** The calls of the store that give histories to whoever executes runs, with `change` made to each. */
export function changingHistories(
  store: Store,
  change: (events: LoadedHistory["events"], runId: string) => LoadedHistory["events"],
): Pick<Store, "claimRuns" | "loadHistories"> {
  return {
    async claimRuns(request) {
      const answer = await store.claimRuns(request);
      const claimed = answer.claimed.map((run) => {
        const history = run.history === null ? null : change(run.history, run.runId);
        return { ...run, history, events: history === null ? run.events : history.length };
      });
      return { ...answer, claimed };
    },
    async loadHistories(runIds) {
      const histories = await store.loadHistories(runIds);
      return histories.map((history) => ({ ...history, events: change(history.events, history.runId) }));
    },
  };
}
