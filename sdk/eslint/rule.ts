// What a rule is to ESLint.

import type { CodeKind } from "./given-code.ts";
import type { Node, SourceCode } from "./syntax.ts";
import { visitWorkflowCode } from "./workflow-code.ts";

interface RuleContext {
  /** As ESLint has it; of all of that, `SourceCode` is what the rules look at. */
  readonly sourceCode: unknown;
  report(problem: { readonly node: unknown; readonly message: string }): void;
}

/** A rule of an ESLint plugin. */
export interface Rule {
  readonly meta: {
    readonly type: "problem";
    readonly docs: { readonly description: string; readonly url: string };
    readonly schema: [];
  };
  create(context: RuleContext): { Program(program: unknown): void };
}

/** The message about a node, when there is something to say about it. */
export type Judge = (node: Node, kind: CodeKind, code: SourceCode) => string | undefined;

export function ruleOver(description: string, judge: Judge): Rule {
  const url = "https://www.npmjs.com/package/everstep";
  return {
    meta: { type: "problem", docs: { description, url }, schema: [] },
    create: (context) => ({
      Program(program) {
        const told = new Set<Node>();
        const code = context.sourceCode as SourceCode;
        visitWorkflowCode(code, program as Node, (node, kind) => {
          const message = told.has(node) ? undefined : judge(node, kind, code);
          if (message === undefined) return;
          told.add(node);
          context.report({ node, message });
        });
      },
    }),
  };
}
