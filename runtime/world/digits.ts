// The alphabets that ids are written in, and what their characters are worth.

/** Crockford's base 32, in which ULIDs are written: https://github.com/ulid/spec */
export const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const HEX = "0123456789abcdef";
export const NO_DIGIT = -1;

const digits = valuesOf(DIGITS);
const nibbles = valuesOf(HEX);

/** `NO_DIGIT` for what is none. */
export function digitAt(text: string, place: number): number {
  return digits[text.charCodeAt(place)] ?? NO_DIGIT;
}

/** The same in base 16, in small letters. */
export function nibbleAt(text: string, place: number): number {
  return nibbles[text.charCodeAt(place)] ?? NO_DIGIT;
}

function valuesOf(alphabet: string): Int8Array {
  const values = new Int8Array(128).fill(NO_DIGIT);
  for (let value = 0; value < alphabet.length; value++) values[alphabet.charCodeAt(value)] = value;
  return values;
}
