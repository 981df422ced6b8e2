// `npm run example <name>`: executes examples/<name>/main.ts. Each main.ts is a program of its own; this only finds it.

import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = new URL("./", import.meta.url);
const mainOf = (name: string): URL => new URL(`${name}/main.ts`, here);
const names = readdirSync(here).filter((name) => existsSync(mainOf(name)));

const [name = ""] = process.argv.slice(2);
if (names.includes(name)) {
  process.argv.splice(1, 2, fileURLToPath(mainOf(name))); // as if it had been started itself
  await import(mainOf(name).href);
} else {
  console.error(`Name an example: npm run example <name>, where <name> is one of ${names.join(", ")}.`);
  process.exitCode = 1;
}
