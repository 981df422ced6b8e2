// What the pages say exists: links, files, tests, scripts; and their TypeScript compiles as a reader would have it.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { anchorsOf, codeBlocksOf, proseOf, readPages, relativeLinksOf, root } from "../support/pages.ts";
import { readSourceTree } from "../support/source-tree.ts";

const pages = readPages();
const byPath = new Map(pages.map((page) => [page.path, page]));
const sourceNames = new Set([...readSourceTree(root, ["sdk", "runtime", "test"]).keys()].map((path) => basename(path)));

test("the pages under test are the real ones", () => {
  expect(pages.map(({ path }) => path)).toEqual(
    expect.arrayContaining(["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/concepts.md"]),
  );
});

describe.each(pages.map((page) => [page.path, page] as const))("%s", (_, page) => {
  test("links to files and headings that exist", () => {
    const broken = relativeLinksOf(page).filter(({ file, anchor }) => {
      if (!existsSync(`${root}/${file}`)) return true;
      const target = byPath.get(file);
      return anchor !== "" && (target === undefined || !anchorsOf(target).has(anchor));
    });
    expect(broken.map(({ link }) => link)).toEqual([]);
  });

  test("names files and folders that exist", () => {
    const prose = proseOf(page);
    const paths = [...prose.matchAll(/`((?:sdk|runtime|test|docs|examples|bench|\.ci)\/[\w./-]*)`/g)].map(
      ([, path = ""]) => path,
    );
    expect(paths.filter((path) => !existsSync(`${root}/${path}`))).toEqual([]);
    const isOurs = page.path.startsWith("docs/architecture") || page.path.startsWith("docs/decisions/");
    const bare = isOurs ? [...prose.matchAll(/`([\w-]+\.ts)\b/g)].map(([, name = ""]) => name) : [];
    expect(bare.filter((name) => !sourceNames.has(name))).toEqual([]);
  });

  test("quotes names of tests that exist", () => {
    // One name after the link to its file, or several with commas between.
    const quotes = [...proseOf(page).matchAll(/\]\(([^)\s]+\.ts)\)((?:,?\s+"[^"]+")+)/g)].flatMap(
      ([, link, names = ""]) =>
        [...names.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => ({ link, name: name.replace(/\s+/g, " ") })),
    );
    const missing = quotes.filter(({ link, name }) => {
      const found = relativeLinksOf(page).find((each) => each.link === link);
      return found === undefined || !readFileSync(`${root}/${found.file}`, "utf8").includes(`"${name}"`);
    });
    expect(missing).toEqual([]);
  });

  test("names scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { scripts: Record<string, string> };
    const named = [...page.text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

test("every example is in the list, and has a page and tests of its own", () => {
  const folders = readdirSync(`${root}/examples`, { withFileTypes: true }).filter((each) => each.isDirectory());
  const list = readFileSync(`${root}/examples/README.md`, "utf8");
  const missing = folders.flatMap(({ name }) => [
    ...[`${name}/README.md`, `${name}/${name}.test.ts`].filter((file) => !existsSync(`${root}/examples/${file}`)),
    ...(list.includes(`[${name}](${name})`) ? [] : [`${name} in the list`]),
  ]);
  expect(missing).toEqual([]);
  expect(folders.length).toBeGreaterThan(10);
});

test("every page of docs can be reached from the README", () => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const page = byPath.get(path);
    if (page === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { file } of relativeLinksOf(page)) visit(file);
  };
  visit("README.md");
  const lost = pages.map(({ path }) => path).filter((path) => path.startsWith("docs/") && !reached.has(path));
  expect(lost).toEqual([]);
});

test("every TypeScript example compiles, the blocks of a page beside each other", async () => {
  mkdirSync(join(root, ".everstep"), { recursive: true });
  // Inside the package, so that `everstep` is this package as it is for its own tests.
  const dir = mkdtempSync(join(root, ".everstep", "pages-"));
  try {
    let count = 0;
    for (const page of pages) {
      const folder = join(dir, page.path.replace(/\.md$/, ""));
      for (const [index, { language, code, file }] of codeBlocksOf(page).entries()) {
        if (language !== "ts") continue;
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, file ?? `block-${index}.ts`), file === undefined ? `${code}\nexport {};\n` : code);
        count++;
      }
    }
    expect(count).toBeGreaterThan(5);
    const unused = { noUnusedLocals: false, noUnusedParameters: false };
    const config = { extends: "../../tsconfig.json", compilerOptions: unused, include: ["**/*.ts"], exclude: [] };
    writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(config));
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    const args = [compiler, "-p", dir, "--pretty", "false"];
    const said = await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => error);
    const lines = said.stdout.split("\n").filter((line) => line !== "");
    // What is wrong with our own sources is told by `npm run check`. Anything else than errors is a compiler that failed.
    expect("code" in said ? lines.length : "fine").not.toBe(0);
    expect(lines.filter((line) => !/^(sdk|runtime)\/\S+: error /.test(line))).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
