// The token by which an attempt is completed from outside: which attempt, and a secret that shows that its bearer was given
// it. The history keeps a hash of the secret, the mailbox what a bearer's secret hashes to. So whoever reads them, or knows
// the ids, has no token; and one that was made up does not get as far as the mailbox.

import { createHash, timingSafeEqual } from "node:crypto";
import { EverstepError } from "../../sdk/protocol/errors.ts";

export interface StepToken {
  readonly runId: string;
  readonly command: number;
  readonly attempt: number;
  readonly secret: string;
}

/** Letters, digits, dots, `-` and `_`: it needs no escaping in a URL. */
export function stepToken({ runId, command, attempt, secret }: StepToken): string {
  return `${runId}.${command}.${attempt}.${secret}`;
}

const TOKEN = /^([\w-]{1,100})\.([1-9]\d{0,8})\.([1-9]\d{0,8})\.([\w-]{16,100})$/;

/** Undefined for what cannot be one. */
export function readStepToken(token: unknown): StepToken | undefined {
  const [, runId, command, attempt, secret] = (typeof token === "string" && TOKEN.exec(token)) || [];
  if (runId === undefined || secret === undefined) return undefined;
  return { runId, command: Number(command), attempt: Number(attempt), secret };
}

/** Throws TOKEN_INVALID. The message never repeats the token: it may be a good one with a letter too many. */
export function parseStepToken(token: unknown): StepToken {
  const parts = readStepToken(token);
  if (parts !== undefined) return parts;
  const message = "This is not the token of a step: it must come from a step's context.token, whole and unchanged.";
  throw new EverstepError("TOKEN_INVALID", message);
}

/** From random ids of the world: 122 bits of chance. */
export function secretFrom(uuid: string): string {
  return Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");
}

/** What may be shown of a secret. */
export function verifierOf(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}

/** Takes as long for any two of one length. */
export function isSameVerifier(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
