// Waits for a fact instead of for an amount of time: asks again until it holds, and fails with the last answer when it
// has not come true within the bound. The bound is only reached by a failing test, so it is generous.

export interface EventuallyOptions {
  readonly withinMs?: number;
  readonly everyMs?: number;
}

/** Resolves with what `fact` returns as soon as it neither throws nor returns false or null. */
export async function eventually<T>(
  what: string,
  fact: () => T | Promise<T>,
  { withinMs = 30_000, everyMs = 20 }: EventuallyOptions = {},
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  let last: unknown = "never answered";
  for (;;) {
    try {
      const answer = await fact();
      if (answer !== false && answer !== null) return answer;
      last = answer;
    } catch (error) {
      if (isFinal(error)) throw error;
      last = error;
    }
    if (performance.now() >= endsAt) break;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  const seen = last instanceof Error ? last.message : String(last);
  throw new Error(`Not true within ${withinMs} ms: ${what}. Last seen: ${seen}`, { cause: last });
}

/** An error can say that asking again is pointless. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && "isFinal" in error && error.isFinal === true;
}
