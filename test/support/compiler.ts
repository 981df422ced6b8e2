// The TypeScript compiler on this project, asked what it makes of our types. Its interface is said to be unstable: it is used here
// only.

import { join } from "node:path";
import {
  API,
  type Checker,
  SignatureKind,
  SymbolFlags,
  type Type,
  type Symbol as TypeSymbol,
} from "typescript/unstable/async";
import { root } from "./pages.ts";

export interface Compiler extends AsyncDisposable {
  /** What a module exports to be used as a value, by name. */
  exportsOf(file: string): Promise<Map<string, Type>>;
  /** What a module exports as a type, by name. */
  typesOf(file: string): Promise<Map<string, Type>>;
  /** What calling it gives: one for each overload. */
  returnsOf(type: Type): Promise<Type[]>;
  propertiesOf(type: Type): Promise<Map<string, Type>>;
  /** As the compiler writes it. */
  print(type: Type): Promise<string>;
}

export async function openCompiler(): Promise<Compiler> {
  const api = new API({ cwd: root });
  const config = join(root, "tsconfig.json");
  const project = (await api.updateSnapshot({ openProjects: [config] })).getProject(config);
  if (project === undefined) throw new Error(`the compiler has no project ${config}`);
  const { checker, program } = project;

  async function symbolsOf(file: string, kind: SymbolFlags): Promise<[string, TypeSymbol][]> {
    const source = await program.getSourceFile(join(root, file));
    const module = source && (await checker.getSymbolAtLocation(source));
    if (module === undefined) throw new Error(`the compiler has no module ${file}`);
    const found: [string, TypeSymbol][] = [];
    for (const exported of await checker.getExportsOfModule(module)) {
      const symbol = exported.flags & SymbolFlags.Alias ? await checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & kind) found.push([exported.name, symbol]);
    }
    return found;
  }

  return {
    exportsOf: async (file) =>
      typesOfAll(await symbolsOf(file, SymbolFlags.Value), (symbol) => typeOf(checker, symbol)),
    typesOf: async (file) =>
      typesOfAll(await symbolsOf(file, SymbolFlags.Type), (symbol) => checker.getDeclaredTypeOfSymbol(symbol)),
    async returnsOf(type) {
      const signatures = await checker.getSignaturesOfType(type, SignatureKind.Call);
      const returns = await Promise.all(signatures.map((each) => checker.getReturnTypeOfSignature(each)));
      return returns.filter((each) => each !== undefined);
    },
    async propertiesOf(type) {
      const properties = await checker.getPropertiesOfType(type);
      const named = properties.map((each): [string, TypeSymbol] => [each.name, each]);
      return typesOfAll(named, (symbol) => typeOf(checker, symbol));
    },
    print: (type) => checker.typeToString(type),
    [Symbol.asyncDispose]: () => api.close(),
  };
}

async function typeOf(checker: Checker, symbol: TypeSymbol): Promise<Type> {
  const type = await checker.getTypeOfSymbol(symbol);
  if (type === undefined) throw new Error(`the compiler knows no type of ${symbol.name}`);
  return type;
}

async function typesOfAll(
  symbols: readonly [string, TypeSymbol][],
  typeOfSymbol: (symbol: TypeSymbol) => Promise<Type>,
): Promise<Map<string, Type>> {
  const types = new Map<string, Type>();
  for (const [name, symbol] of symbols) types.set(name, await typeOfSymbol(symbol));
  return types;
}
