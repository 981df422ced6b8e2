// The contract of stores, held by the one in memory.

import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { type OpenedStore, storeContract } from "./store.ts";

async function openMemoryStore(): Promise<OpenedStore> {
  let now = 1_750_000_000_000;
  return {
    store: new MemoryStore({ clock: { now: () => now } }),
    advance: async (ms) => {
      now += ms;
    },
    close: async () => {},
    transactions: "unsupported",
  };
}

storeContract("memory", openMemoryStore);
