// A fast, stable, non-cryptographic hash of text: the same on every machine and release, because histories hold its
// results. Good against accident, useless against intent.

/**
 * Two well-mixed 32-bit words from the text's UTF-16 code units: cyrb53 by bryc (public domain,
 * https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js), whose words are mixed into 53 bits there and
 * kept whole here.
 */
export function hashText(text: string, seed = 0): readonly [high: number, low: number] {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return [b >>> 0, a >>> 0];
}

/** The same hash as 16 hex characters. */
export function hashHex(text: string, seed = 0): string {
  const [high, low] = hashText(text, seed);
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}
