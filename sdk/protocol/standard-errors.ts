// Errors made anew from their stored parts. The language's own classes come back as themselves, so that
// `instanceof TypeError` still tells; every other class belongs to somebody's code and comes back by its name alone.

const STANDARD = new Map<string, ErrorConstructor>(
  [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map((kind) => [kind.name, kind]),
);

/** True for a name that `recreateError` answers with a class of the language itself. */
export function isStandardError(name: string): boolean {
  return STANDARD.has(name);
}

export interface ErrorParts {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Present, even as undefined, when the error had a cause of its own. */
  readonly cause?: unknown;
}

/** An error of the right class, with the stored name, message, stack and cause; without a stored stack, with none. */
export function recreateError(parts: ErrorParts): Error {
  const Kind = STANDARD.get(parts.name) ?? Error;
  const error = new Kind(parts.message, "cause" in parts ? { cause: parts.cause } : undefined);
  if (error.name !== parts.name) setHidden(error, "name", parts.name);
  setHidden(error, "stack", parts.stack ?? `${parts.name}: ${parts.message}`);
  return error;
}

/** Sets a property the way the language does for an error's own: writable, and out of sight of `Object.keys`. */
export function setHidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
}
