// For the command line, which takes files.

import { changing } from "./changing.ts";

export default changing("patched");
