// For worker processes and the command line, which take files.

import { release } from "./releases.ts";

export const one = release("1.0.0");
