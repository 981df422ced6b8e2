// Puts beside the compiled code what is read at run time and is not code: migrations, Lua scripts, the dashboard's page.

import { cpSync, statSync } from "node:fs";

for (const folder of ["sdk", "runtime"]) {
  cpSync(folder, `dist/${folder}`, {
    recursive: true,
    filter: (path) => statSync(path).isDirectory() || !path.endsWith(".ts"),
  });
}
