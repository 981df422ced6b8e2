// The contract of stores, held by the one in memory with every codec before it, which must not be seen from outside.

import { expect, test } from "vitest";
import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { allCodecs } from "../support/codecs.ts";
import { forkRequest, startRequest } from "./store/stage.ts";
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

storeContract("memory behind codecs", open, { forks: false });

test("payloads that are bound to their run are not copied into another", async () => {
  const { store } = await open();
  const source = startRequest();
  await store.startRuns([source]);
  await expect(store.forkRun(forkRequest(source))).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  expect(await store.findRun({ runId: source.runId })).toMatchObject({ status: "running", events: 1 });
});
