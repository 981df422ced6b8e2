// A house in which a test has a commit in its hand: what holds before it, and what comes of it.

import type { AppendTurn } from "../../runtime/store/turns.ts";
import { EVENT_CODES, type EventType } from "../../sdk/protocol/event.ts";
import { type House, openHouse } from "./local-worker.ts";
import { withCalls } from "./store-calls.ts";

export interface GatedHouse {
  readonly house: House;
  /** From here on nothing is kept waiting. */
  readonly open: () => void;
  /** Turns on their way to the store, from when they were sent. */
  readonly sent: readonly AppendTurn[];
  /** Those of them that have an event of the kept type. */
  readonly kept: readonly AppendTurn[];
}

/** Turns that hold an event of `type` wait until `open`. */
export function houseWithGate(type?: EventType): GatedHouse {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const sent: AppendTurn[] = [];
  const kept: AppendTurn[] = [];
  const code = type && EVENT_CODES[type];
  const house = openHouse({
    wrapStore: (store) =>
      withCalls(store, {
        async appendTurns(turns) {
          sent.push(...turns);
          const held = turns.filter(({ events }) => events.some((event) => event.type === code));
          kept.push(...held);
          if (held.length > 0) await opened;
          return store.appendTurns(turns);
        },
      }),
  });
  return { house, open, sent, kept };
}
