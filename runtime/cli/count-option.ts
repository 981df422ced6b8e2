// A number of things, as an option takes it.

import { InvalidArgumentError } from "commander";

export function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 1 up.");
}
