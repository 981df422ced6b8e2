// The contract of stores, held by the one in memory with every codec before it, which must not be seen from outside.

import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { allCodecs } from "../support/codecs.ts";
import { type OpenedStore, storeContract } from "./store.ts";

const open = async (): Promise<OpenedStore> => {
  let now = 1_750_000_000_000;
  return {
    store: new CodecStore(new MemoryStore({ clock: { now: () => now } }), allCodecs(), systemWorld()),
    advance: async (ms) => {
      now += ms;
    },
    close: async () => {},
    transactions: "unsupported",
  };
};

storeContract("memory behind codecs", open);
