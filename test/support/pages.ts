// The pages people read, taken apart: links, headings, fenced code. For the tests that hold them to the code.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

export interface Page {
  /** From the package's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
  /** From a first line `// order.ts`. */
  readonly file: string | undefined;
}

/** Every Markdown page of the project. */
export function readPages(): Page[] {
  const inFolders = ["docs", "examples", "bench", "test"].flatMap((folder) =>
    existsSync(`${root}/${folder}`)
      ? readdirSync(`${root}/${folder}`, { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`)
      : [],
  );
  const atTop = readdirSync(root);
  return [...atTop, ...inFolders.map((path) => path.replaceAll("\\", "/"))]
    .filter((path) => path.endsWith(".md") && !path.includes("node_modules/"))
    .sort()
    .map((path) => ({ path, text: readFileSync(`${root}/${path}`, "utf8") }));
}

export function codeBlocksOf({ text }: Page): CodeBlock[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
    language,
    code,
    file: /^\/\/ (\S+\.ts)\n/.exec(code)?.[1],
  }));
}

/** The page without its fenced code. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "");
}

/** Links to places of ours: the file from the package's root, and the place in it. */
export function relativeLinksOf(
  page: Page,
): { readonly link: string; readonly file: string; readonly anchor: string }[] {
  return [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target = "", anchor = ""] = link.split("#");
      const file = target === "" ? page.path : posix.normalize(posix.join(posix.dirname(page.path), target));
      return { link, file: file.replace(/\/$/, ""), anchor };
    });
}

/** What headings of a page can be linked by, as GitHub makes it of them. */
export function anchorsOf(page: Page): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of proseOf(page).matchAll(/^#{1,6} (.+)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    anchors.add(plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-"));
  }
  return anchors;
}
