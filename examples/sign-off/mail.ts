// The mail service: it keeps what it was given.

export interface Mail {
  readonly to: string;
  readonly subject: string;
  /** Where the link in it leads to. */
  readonly path: string;
}

export const outgoing: Mail[] = [];

export async function sendMail(mail: Mail, _idempotencyKey: string): Promise<void> {
  outgoing.push(mail);
}
