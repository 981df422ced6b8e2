// The store on Postgres. Each method is one statement or one transaction of a file beside this one; here is only which
// connections it runs on.

import type { Log } from "../../world/world.ts";
import type { Store } from "../store.ts";
import { appendInTransaction, appendTurns, confirm, resolveTurns } from "./appending.ts";
import { blockRuns, claimBlocked, claimRuns, claimsOf, parkRuns, releaseRuns, saveHeartbeats } from "./claiming.ts";
import { closeOverdue, terminateRun } from "./closing.ts";
import { Connections, type PostgresOptions } from "./connection.ts";
import { controlRun } from "./controlling.ts";
import { countRuns } from "./counting.ts";
import { appendWithEffects } from "./effects.ts";
import { runErrands } from "./errands.ts";
import { forkRun } from "./forking.ts";
import { importRun } from "./importing.ts";
import { listRuns } from "./listing.ts";
import { listLocks } from "./locks.ts";
import { putMail, readMail, runsWithMail } from "./mail.ts";
import { checkSchema } from "./migrate.ts";
import { moveRun } from "./moving.ts";
import { deleteRuns, findExpired } from "./pruning.ts";
import { answerQueries, askQuery, takeAnswer, takeQueries } from "./questions.ts";
import {
  findRun,
  loadHistories,
  missingRuns,
  readEventsOfType,
  readHistory,
  readOutcomes,
  readStepEvents,
} from "./reading.ts";
import { startRuns } from "./starting.ts";
import { findBlocked, forgetLeftovers, ownerIds, rescueRuns } from "./sweeping.ts";
import { readUpdates } from "./updates.ts";
import { readPolicyChanges, setVersionPolicy } from "./version-policies.ts";
import { readVersions, registerVersions } from "./versions.ts";

/** Connects when first asked for something; `checkReady` tells early whether that will work. */
export function openPostgresStore(options: PostgresOptions, { log }: { readonly log: Log }): Store {
  const connections = new Connections(options, log);
  const { hot, control, client, transactions } = connections;
  return {
    claimRuns: (request) => claimRuns(control, request),
    claimBlocked: (workerId, claimId, runIds) => claimBlocked(control, workerId, claimId, runIds),
    loadHistories: (runIds) => loadHistories(control, runIds),
    appendTurns: (turns) => appendTurns(hot, turns),
    appendWithEffects: (turns) => appendWithEffects(hot, turns),
    resolveTurns: (turns) => resolveTurns(hot, turns),
    confirm: () => confirm(hot),
    appendInTransaction: (work) => appendInTransaction(transactions, work),
    readMail: (boxes, limit) => readMail(hot, boxes, limit),
    runsWithMail: (workerId) => runsWithMail(control, workerId),
    parkRuns: (requests) => parkRuns(hot, requests),
    claimsOf: (workerId) => claimsOf(control, workerId),
    releaseRuns: (claims) => releaseRuns(hot, claims),
    blockRuns: (blocks) => blockRuns(hot, blocks),
    saveHeartbeats: (beats) => saveHeartbeats(hot, beats),
    takeQueries: (workerId, queues, limit) => takeQueries(control, workerId, queues, limit),
    answerQueries: (answers) => answerQueries(control, answers),
    registerVersions: (versions) => registerVersions(control, versions),

    ownerIds: () => ownerIds(control),
    rescueRuns: (workerId, limit) => rescueRuns(control, workerId, limit),
    closeOverdue: (limit) => closeOverdue(control, limit),
    findBlocked: (request) => findBlocked(control, request),
    runErrands: (limit) => runErrands(client, limit),
    // Of a pool that a worker has no other use for: claims do not wait behind it.
    findExpired: (request) => findExpired(client, request),
    deleteRuns: (runIds) => deleteRuns(client, runIds),
    forgetLeftovers: () => forgetLeftovers(control),

    startRuns: (requests) => startRuns(client, requests),
    importRun: (request) => importRun(client, request),
    sendMail: (requests) => putMail(client, requests),
    controlRun: (request) => controlRun(client, request),
    moveRun: (request) => moveRun(client, request),
    readVersions: (workflows) => readVersions(client, workflows),
    setVersionPolicy: (workflow, policy, actor) => setVersionPolicy(client, workflow, policy, actor),
    readPolicyChanges: (workflow, limit) => readPolicyChanges(client, workflow, limit),
    forkRun: (request) => forkRun(client, request),
    terminateRun: (runId, reason, actor) => terminateRun(client, runId, reason, actor),
    findRun: (ref) => findRun(client, ref),
    listRuns: (request) => listRuns(client, request),
    countRuns: (request) => countRuns(client, request),
    readHistory: (runId, afterSeq, limit) => readHistory(client, runId, afterSeq, limit),
    readEventsOfType: (runIds, type, limit) => readEventsOfType(client, runIds, type, limit),
    readOutcomes: (runIds) => readOutcomes(client, runIds),
    readUpdates: (looks) => readUpdates(client, looks),
    readStepEvents: (runId, step) => readStepEvents(client, runId, step),
    missingRuns: (runIds) => missingRuns(client, runIds),
    listLocks: (request) => listLocks(client, request),
    askQuery: (request) => askQuery(client, request),
    takeAnswer: (queryId) => takeAnswer(client, queryId),

    checkReady: () => checkSchema(client),
    close: () => connections.close(),
  };
}
