// What users import as "everstep/eslint": rules for workflow code, as a plugin for ESLint's flat configuration.

import type { Rule } from "./rule.ts";
import { noClockOrChance, noDynamicImport, noFloating, noIo, noNestedCommands } from "./rules.ts";

export type { Rule } from "./rule.ts";

const rules = {
  /** Time and chance that are not taken from the history: `process.hrtime`, `crypto.randomBytes`, `process.env`. */
  "no-clock-or-chance": noClockOrChance,
  /** `fetch`, files, sockets, processes, packages that touch the world and `node:timers/promises` outside of steps. */
  "no-io": noIo,
  /** Steps, sleeps, locks, mail to other runs and all else that gives a promise and nobody awaits. */
  "no-floating": noFloating,
  /** Commands in steps, query handlers, validators and predicates of conditions. */
  "no-nested-commands": noNestedCommands,
  /** `import()` in workflow code. */
  "no-dynamic-import": noDynamicImport,
} as const satisfies Record<string, Rule>;

type RuleName = keyof typeof rules;

export interface RecommendedConfig {
  readonly name: string;
  readonly plugins: { readonly everstep: { readonly rules: typeof rules } };
  readonly rules: Readonly<Record<`everstep/${RuleName}`, "error">>;
}

/** All rules, as errors: an element of the array in `eslint.config.js`. */
const recommended: RecommendedConfig = {
  name: "everstep/recommended",
  plugins: { everstep: { rules } },
  rules: {
    "everstep/no-clock-or-chance": "error",
    "everstep/no-io": "error",
    "everstep/no-floating": "error",
    "everstep/no-nested-commands": "error",
    "everstep/no-dynamic-import": "error",
  },
};

/**
 * The plugin. Workflow code is found by what is imported from "everstep": the functions given to `workflow`, to handlers,
 * steps and conditions, and the functions of the same file that they call. Rules see one file; functions imported from
 * others are taken to be pure.
 */
export const everstepPlugin = { meta: { name: "everstep" }, rules, configs: { recommended } };

export default everstepPlugin;
