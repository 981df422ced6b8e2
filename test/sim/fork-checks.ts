// What a fork must be at the moment in which it is made: the first events of its source, letter by letter; its source closed,
// where it takes its place; and in its mailbox the signals that are not in what it shares, in order, each once.

import type { ForkRequest } from "../../runtime/store/forks.ts";
import type { MailItem } from "../../runtime/store/mail.ts";
import type { Store } from "../../runtime/store/store.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";

type Complain = (what: string) => void;

export async function checkFork(truth: Store, request: ForkRequest, complain: Complain): Promise<void> {
  const { sourceId, runId, at, edited, terminates } = request;
  const all = Number.MAX_SAFE_INTEGER;
  const source = await truth.readHistory(sourceId, 0, all);
  const fork = await truth.readHistory(runId, 0, all);
  const isShared = (event: StoredEvent, index: number) => {
    const own = fork[index];
    if (!isEdited(request) || index !== at - 1) return JSON.stringify(own) === JSON.stringify(event);
    return own?.type === EVENT_CODES.StepCompleted && (edited === null || own.payload === edited.payload);
  };
  if (!source.slice(0, at).every(isShared)) complain(`its first ${at} events are not those of run ${sourceId}`);
  const others = fork.slice(at + 1).filter(({ type }) => type !== EVENT_CODES.LockRegained);
  if (fork[at]?.type !== EVENT_CODES.RunForked || others.length > 0)
    complain(`it does not begin with the ${at} events that are shared, and who it is`);
  const [from, own] = [await truth.findRun({ runId: sourceId }), await truth.findRun({ runId })];
  if (terminates !== null && from?.closedAt == null) complain(`run ${sourceId} is open, and was to be replaced`);
  if (own?.forkedFrom?.runId !== sourceId || own.forkedFrom.event !== at)
    complain("it does not say what it is forked from");
  const boxOf = (box: string) => truth.readMail([{ runId: box, after: 0 }], all);
  checkMail(await boxOf(sourceId), await boxOf(runId), request, source.slice(0, at), complain);
}

/** Codecs have the edited event among those that they encode anew. */
export function isEdited({ forked }: ForkRequest): boolean {
  return (JSON.parse(forked.data ?? "{}") as { readonly isEdited?: boolean }).isEdited === true;
}

function checkMail(
  source: readonly MailItem[],
  fork: readonly MailItem[],
  { keepsSignals, seenMail = Number.POSITIVE_INFINITY }: ForkRequest,
  shared: readonly StoredEvent[],
  complain: Complain,
): void {
  const taken = Math.max(0, ...shared.map(mailOf));
  const signalsOf = (mail: readonly MailItem[]) =>
    mail.filter(({ kind }) => kind === "signal").map(({ mailId }) => mailId);
  // Behind codecs, what came after they had encoded all for the fork stays with the source.
  const late = signalsOf(source.filter(({ mail }) => mail > taken && mail <= seenMail));
  const told = signalsOf(fork.filter(({ mail }) => mail > taken));
  const expected = keepsSignals ? late : [];
  if (told.join() !== expected.join()) complain(`it is to receive ${told.join()}, and should ${expected.join()}`);
}

function mailOf({ data }: StoredEvent): number {
  const { mail = 0 } = JSON.parse(data ?? "{}") as { readonly mail?: number };
  return mail;
}
