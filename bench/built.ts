// Parts of the built package that no door leads to, as users have them: a loader that compiles sources on the way would
// slow down what is measured. Named by the path of their source.

export async function built<Module>(path: string): Promise<Module> {
  return (await import(new URL(`../dist/${path.replace(/\.ts$/, ".js")}`, import.meta.url).href)) as Module;
}
