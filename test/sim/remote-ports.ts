// The ports that a simulated process holds: each call crosses the network to the one server behind it. What is sent is
// copied when it is sent, as on a wire: nothing that changes later at the sender changes what arrives.

import type { Leases } from "../../runtime/lease/leases.ts";
import { leaseUnavailable } from "../../runtime/lease/unavailable.ts";
import type { Store, Transaction } from "../../runtime/store/store.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { Route } from "./network.ts";

export function storeUnavailable(call: string, reason: string): Error {
  return new EverstepError("STORE_UNAVAILABLE", `simulated: ${call}: ${reason}`);
}

export function leasesUnavailable(call: string, reason: string): Error {
  return leaseUnavailable({ keeper: "memory", call: call as "renew" }, reason);
}

export function remoteStore(server: Store, route: Route): Store {
  const via = <Call extends keyof Store>(call: Call): Store[Call] => {
    const send = (...values: unknown[]) => {
      const sent = JSON.parse(JSON.stringify(values)) as unknown[];
      return route.call(call, () => (server[call] as (...given: unknown[]) => Promise<unknown>)(...sent));
    };
    return send as unknown as Store[Call];
  };
  return {
    checkReady: via("checkReady"),
    close: async () => {},
    claimRuns: via("claimRuns"),
    claimBlocked: via("claimBlocked"),
    loadHistories: via("loadHistories"),
    appendTurns: via("appendTurns"),
    appendWithEffects: via("appendWithEffects"),
    resolveTurns: via("resolveTurns"),
    confirm: via("confirm"),
    readMail: via("readMail"),
    runsWithMail: via("runsWithMail"),
    parkRuns: via("parkRuns"),
    claimsOf: via("claimsOf"),
    releaseRuns: via("releaseRuns"),
    blockRuns: via("blockRuns"),
    saveHeartbeats: via("saveHeartbeats"),
    takeQueries: via("takeQueries"),
    answerQueries: via("answerQueries"),
    registerVersions: via("registerVersions"),
    ownerIds: via("ownerIds"),
    rescueRuns: via("rescueRuns"),
    closeOverdue: via("closeOverdue"),
    findBlocked: via("findBlocked"),
    runErrands: via("runErrands"),
    findExpired: via("findExpired"),
    deleteRuns: via("deleteRuns"),
    forgetLeftovers: via("forgetLeftovers"),
    startRuns: via("startRuns"),
    sendMail: via("sendMail"),
    controlRun: via("controlRun"),
    moveRun: via("moveRun"),
    readVersions: via("readVersions"),
    setVersionPolicy: via("setVersionPolicy"),
    readPolicyChanges: via("readPolicyChanges"),
    forkRun: via("forkRun"),
    terminateRun: via("terminateRun"),
    findRun: via("findRun"),
    listRuns: via("listRuns"),
    countRuns: via("countRuns"),
    listLocks: via("listLocks"),
    readHistory: via("readHistory"),
    readEventsOfType: via("readEventsOfType"),
    importRun: via("importRun"),
    readOutcomes: via("readOutcomes"),
    missingRuns: via("missingRuns"),
    readUpdates: via("readUpdates"),
    readStepEvents: via("readStepEvents"),
    askQuery: via("askQuery"),
    takeAnswer: via("takeAnswer"),
    appendInTransaction: (work) => transact(server, route, work),
  };
}

/**
 * Statements cross the network one by one, and nothing of them stays unless COMMIT arrives. A transaction ends with its
 * connection: its COMMIT may be lost or its answer may, but it never lands after the caller gave up, because the run's
 * row lock would keep everybody else waiting until then.
 */
async function transact(
  server: Store,
  route: Route,
  work: Parameters<Store["appendInTransaction"]>[0],
): Promise<Awaited<ReturnType<Store["appendInTransaction"]>>> {
  const statements: Parameters<Transaction["query"]>[] = [];
  const tx: Transaction = {
    query: (...statement) =>
      route.call(
        "query",
        async () => {
          statements.push(statement);
          return { rows: [], rowCount: 1 };
        },
        { mayBeLate: false },
      ),
  };
  const turn = await work(tx);
  const commit = () =>
    server.appendInTransaction(async (inner) => {
      for (const statement of statements) await inner.query(...statement);
      return turn;
    });
  return route.call("commit", commit, { mayBeLate: false });
}

export function remoteLeases(server: Leases, route: Route): Leases {
  return {
    renew: (workerId) => route.call("renew", () => server.renew(workerId)),
    release: (workerId) => route.call("release", () => server.release(workerId)),
    expired: (workerIds) => route.call("expired", () => server.expired([...workerIds])),
    close: () => server.close(),
  };
}
