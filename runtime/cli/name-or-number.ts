// What waits in a run, on the command line: by its name, or by its number as `describe` shows it.

/** Digits alone are a number. */
export function nameOrNumber(text: string): string | number {
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : text;
}
