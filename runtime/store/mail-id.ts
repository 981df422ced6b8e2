// The ids that mail is deduplicated by: the sender's own, apart for each kind of mail.

const UPDATE = "update:";

export function signalMailId(signalId: string): string {
  return `signal:${signalId}`;
}

export function updateMailId(updateId: string): string {
  return `${UPDATE}${updateId}`;
}

/** The sender's id of an update in the mailbox. */
export function updateIdOf(mailId: string): string {
  return mailId.startsWith(UPDATE) ? mailId.slice(UPDATE.length) : mailId;
}

/** A run is asked to cancel once. */
export const CANCEL_MAIL_ID = "cancel";
