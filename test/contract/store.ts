// The one suite that every store must pass, whatever it keeps runs in and whoever stands between it and its database.
// It holds on a real clock and on a simulated one; what time brings about is waited for.

import { afterAll, beforeAll, describe } from "vitest";
import { adoptingContract } from "./store/adopting.ts";
import { appendingContract } from "./store/appending.ts";
import { attributesContract } from "./store/attributes.ts";
import { claimingContract } from "./store/claiming.ts";
import { continuingContract } from "./store/continuing.ts";
import { controllingContract } from "./store/controlling.ts";
import { endingContract } from "./store/ending.ts";
import { errandsContract } from "./store/errands.ts";
import { forkLocksContract } from "./store/fork-locks.ts";
import { forkingContract } from "./store/forking.ts";
import { forkingKinContract } from "./store/forking-kin.ts";
import { heartbeatsContract } from "./store/heartbeats.ts";
import { importingContract } from "./store/importing.ts";
import { keepingContract } from "./store/keeping.ts";
import { locksContract } from "./store/locks.ts";
import { mailContract } from "./store/mail.ts";
import { parkingContract } from "./store/parking.ts";
import { pruningContract } from "./store/pruning.ts";
import { queriesContract } from "./store/queries.ts";
import { randomContract } from "./store/random.ts";
import { readingContract } from "./store/reading.ts";
import { retryingContract } from "./store/retrying.ts";
import { type OpenedStore, Stage } from "./store/stage.ts";
import { startingContract } from "./store/starting.ts";
import { transactionsContract } from "./store/transactions.ts";
import { updatesContract } from "./store/updates.ts";
import { versionsContract } from "./store/versions.ts";

export type { OpenedStore } from "./store/stage.ts";

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(`the ${name} store`, () => {
    const stage = new Stage();
    beforeAll(() => stage.open(open()));
    afterAll(() => stage.close());

    startingContract(stage);
    claimingContract(stage);
    appendingContract(stage);
    keepingContract(stage);
    transactionsContract(stage);
    mailContract(stage);
    updatesContract(stage);
    parkingContract(stage);
    controllingContract(stage);
    endingContract(stage);
    forkingContract(stage);
    readingContract(stage);
    pruningContract(stage);
    importingContract(stage);
    attributesContract(stage);
    heartbeatsContract(stage);
    queriesContract(stage);
    continuingContract(stage);
    retryingContract(stage);
    errandsContract(stage);
    adoptingContract(stage);
    forkingKinContract(stage);
    locksContract(stage);
    forkLocksContract(stage);
    versionsContract(stage);
    randomContract(stage);
  });
}
