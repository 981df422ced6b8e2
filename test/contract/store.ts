// The one suite that every store must pass, whatever it keeps runs in and whoever stands between it and its database.
// It holds on a real clock and on a simulated one; what time brings about is waited for.

import { afterAll, beforeAll, describe } from "vitest";
import { claimingContract } from "./store/claiming.ts";
import { type OpenedStore, Stage } from "./store/stage.ts";
import { startingContract } from "./store/starting.ts";

export type { OpenedStore } from "./store/stage.ts";

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    const stage = new Stage();
    beforeAll(() => stage.open(open()));
    afterAll(() => stage.close());

    startingContract(stage);
    claimingContract(stage);
  });
}
