// A tracer that keeps its spans in memory, in the place of one that sends them away. It knows what all of them know: a
// context that follows the code (`AsyncLocalStorage`), and a line of text that carries it further (`traceparent`).

import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";

export interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  error?: string;
}

export const spans: Span[] = [];

const active = new AsyncLocalStorage<string | undefined>();

/** What the code is part of, to be sent along. */
export const traceparent = (): string | undefined => active.getStore();

/** Runs `body` as a part of what `parent` names; undefined: of nothing. */
export const within = <T>(parent: string | undefined, body: () => T): T => active.run(parent, body);

/** Runs `body` as a span of its own, within what the code is part of. */
export async function inSpan<T>(name: string, body: () => Promise<T>, attributes: Span["attributes"] = {}): Promise<T> {
  const [, traceId = randomBytes(16).toString("hex"), parentId] = traceparent()?.split("-") ?? [];
  const span: Span = { name, traceId, spanId: randomBytes(8).toString("hex"), parentId, attributes };
  spans.push(span);
  try {
    return await within(`00-${traceId}-${span.spanId}-01`, body);
  } catch (error) {
    span.error = String(error);
    throw error;
  }
}
