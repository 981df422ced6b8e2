// For worker processes and the command line, which take files.

import { release } from "./releases.ts";

export const two = release("2.0.0");
