// Planted defects in what only some seeds have.

import type { MailRequest } from "../../runtime/store/mail.ts";
import { decodeReport, encodeReport, type StepReport } from "../../runtime/store/step-report.ts";
import type { Store } from "../../runtime/store/store.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import { changingHistories } from "../support/store-calls.ts";
import { type Mutant, withSuccessor } from "./mutant.ts";

export const MUTANTS_OF_PARTS: Readonly<Record<string, Mutant>> = {
  prunesEarly: {
    does: "deletes runs as soon as they are closed",
    store: ({ store }) => ({
      findExpired: (request) =>
        store.findExpired({ ...request, rules: request.rules.map((rule) => ({ ...rule, retentionMs: 0 })) }),
    }),
    parts: ["pruning"],
  },
  prunesByWordAlone: {
    does: "says of every run that it is deleted, and leaves it",
    store: () => ({ deleteRuns: async (runIds) => [...runIds] }),
    parts: ["pruning"],
  },
  noReportDedup: {
    does: "takes a report on a step as often as it is sent",
    store: ({ store }) => {
      let sent = 0;
      return underOtherIds(store, ({ kind, mailId }) => (kind === "stepReport" ? `${mailId}?${++sent}` : mailId));
    },
    parts: ["deferred"],
  },
  mixesReportsUp: {
    does: "gives each attempt of a step what was reported on the one before",
    store: ({ store }) => {
      const before = new Map<string, StepReport>();
      return {
        sendMail: (requests) =>
          store.sendMail(
            requests.map((mail) => {
              if (mail.kind !== "stepReport") return mail;
              const report = decodeReport(mail.payload);
              const which = `${JSON.stringify(mail.to)} ${report.command}`;
              const { command, attempt, verifier } = report;
              const outcome = before.get(which) ?? report;
              before.set(which, report);
              return { ...mail, payload: encodeReport({ ...outcome, command, attempt, verifier }) };
            }),
          ),
      };
    },
    parts: ["deferred"],
  },
  mixesWebhooksUp: {
    does: "knows deliveries by their ids alone, whichever webhook they are for",
    store: ({ store }) => underOtherIds(store, ({ mailId }) => mailId.replace(/(everstep\.webhook) [\w-]{22} /, "$1 ")),
    parts: ["webhooks"],
  },
  losesDeliveries: {
    does: "says of every fifth delivery to a webhook that it has it, and has not",
    store: ({ store }) => {
      let deliveries = 0;
      const lost = { outcome: "accepted", runId: null, mail: null, ownerId: null, queue: null, events: 0 } as const;
      const isLost = ({ name }: MailRequest) => name.startsWith("everstep.webhook") && ++deliveries % 5 === 0;
      return {
        sendMail: async (requests) => {
          const sending = requests.map((mail) => (isLost(mail) ? [lost] : store.sendMail([mail])));
          return (await Promise.all(sending)).flat();
        },
      };
    },
    parts: ["webhooks"],
  },
  forksBelieve: {
    does: "lets a fork go on under what its source held, and asks for none of it",
    store: ({ store }) => ({ forkRun: (request) => store.forkRun({ ...request, locks: [] }) }),
    parts: ["forks"],
  },
  forksDoNotWait: {
    does: "asks for what a fork held, and lets it be claimed before it has that again",
    store: ({ store }) => ({
      forkRun: ({ locks = [], ...request }) =>
        store.forkRun({ ...request, locks: locks.map((lock) => ({ ...lock, isRegained: false })) }),
    }),
    parts: ["forks"],
  },
  performsTwice: {
    does: "accepts an operation of an entity as often as it is sent",
    store: ({ store }) => {
      let sent = 0;
      return underOtherIds(store, ({ kind, mailId }) => (kind === "update" ? `${mailId}?${++sent}` : mailId));
    },
    parts: ["entities"],
  },
  dropsWhatIsHeld: {
    does: "begins the next run of an entity without the operations that wait for their turn",
    store: ({ store }) => ({
      appendWithEffects: (turns) =>
        store.appendWithEffects(turns.map((turn) => withSuccessor(turn, (next) => ({ ...next, passedOn: [] })))),
    }),
    parts: ["entities"],
  },
  forksLosingSignals: {
    does: "forks runs without the signals that came later",
    store: ({ store }) => ({ forkRun: (request) => store.forkRun({ ...request, keepsSignals: false }) }),
    parts: ["forks"],
  },
  forksTakingTwice: {
    does: "puts the last mail that a fork has taken into its mailbox once more",
    store: ({ store }) => ({
      forkRun: (request) => store.forkRun({ ...request, takenMail: Math.max(0, request.takenMail - 1) }),
    }),
    parts: ["forks"],
  },
  forksLeavingTheSource: {
    does: "begins a fork in the place of a run under an id of its own, and lets the run go on",
    store: ({ store }) => ({
      forkRun: (request) =>
        store.forkRun(
          request.terminates === null
            ? request
            : { ...request, terminates: null, workflowId: `${request.workflowId}-${request.runId}` },
        ),
    }),
    parts: ["forks"],
  },
  movesByWordAlone: {
    does: "says that a run is another version's, and leaves it where it was",
    store: ({ store }) => ({
      moveRun: async ({ runId }) => {
        const found = await store.findRun({ runId });
        const outcome = found === null ? "notFound" : found.closedAt === null ? "changed" : "closed";
        return { outcome, queue: found?.queue ?? null, ownerId: found?.ownerId ?? null };
      },
    }),
    parts: ["versions"],
  },
  anyCodeWillDo: {
    does: "gives a run to whoever asks, as if it were of a version that he has",
    store: ({ store }) => ({
      claimRuns: (request) =>
        store.claimRuns({
          ...request,
          queues: [...new Set(request.queues.flatMap((lane) => [lane, lane.replace(/[12](?=\.0\.0$)/, otherVersion)]))],
        }),
    }),
    parts: ["versions"],
  },
  leavesPayloadsPlain: {
    does: "stores one in two hundred payloads as it is, codecs or not",
    plainShare: 0.005,
    parts: ["codecs"],
  },
  swapsPayloads: {
    does: "gives the results of two steps of a run in each other's place",
    store: ({ store }) =>
      changingHistories(store, (events) => {
        const [one, other] = events.filter(({ type }) => type === EVENT_CODES.StepCompleted);
        const swapped = (event: StoredEvent) =>
          event === one ? other?.payload : event === other ? one?.payload : undefined;
        return events.map((event) => ({ ...event, payload: swapped(event) ?? event.payload }));
      }),
    parts: ["codecs"],
  },
};

/** Mail is deduplicated by another id than its sender gave it; who reads it sees the sender's. */
function underOtherIds(store: Store, idOf: (mail: MailRequest) => string): Partial<Store> {
  const ids = new Map<string, string>();
  return {
    sendMail: (requests) =>
      store.sendMail(
        requests.map((mail) => {
          const mailId = idOf(mail);
          if (!ids.has(mailId)) ids.set(mailId, mail.mailId);
          return { ...mail, mailId };
        }),
      ),
    readMail: async (boxes, limit) =>
      (await store.readMail(boxes, limit)).map((item) => ({ ...item, mailId: ids.get(item.mailId) ?? item.mailId })),
  };
}

function otherVersion(major: string): string {
  return major === "1" ? "2" : "1";
}
