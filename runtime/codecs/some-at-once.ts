// Many payloads on their way through the codecs: some of them at once.

const AT_ONCE = 64;

/** What becomes of each, in order. */
export async function someAtOnce<T, R>(
  items: readonly T[],
  code: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const coded: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    const some = items.slice(from, from + AT_ONCE);
    coded.push(...(await Promise.all(some.map((item, index) => code(item, from + index)))));
  }
  return coded;
}
