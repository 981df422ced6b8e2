// What a failed connection says, fit for logs: drivers put passwords into messages, and whole commands and addresses
// into properties of their errors. So only a text goes on, and the password of the URL is cut out of it.

/** The reason of `error` in one line, without the password of `url`. */
export function describeFailure(error: unknown, url: string): string {
  return hidePassword(firstWords(error), url).replace(/\s+/g, " ").trim();
}

/** A cause to hang on an error: its text and stack, nothing the driver attached. */
export function bareCause(error: unknown, url: string): Error {
  const bare = new Error(describeFailure(error, url));
  if (error instanceof Error && error.stack !== undefined) bare.stack = hidePassword(error.stack, url);
  return bare;
}

function firstWords(error: unknown): string {
  // Several addresses tried at once fail as one error without words of its own.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(firstWords).join("; ");
  if (!(error instanceof Error)) return String(error);
  if (error.message !== "") return error.message;
  return "code" in error ? String(error.code) : error.name;
}

function hidePassword(text: string, url: string): string {
  let hidden = text.replace(/(\w+:\/\/[^\s:@/]*):[^\s@/]+@/g, "$1:***@");
  for (const password of passwordsOf(url)) hidden = hidden.replaceAll(password, "***");
  return hidden;
}

/** As written and as meant: a driver may show either. */
function passwordsOf(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { password, searchParams } = new URL(url);
  const written = [password, searchParams.get("password") ?? ""].filter((text) => text !== "");
  return [...written, ...written.map(decode)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
