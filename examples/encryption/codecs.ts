// The codecs of this application, for its workers and clients, and for the command line: --codecs examples/encryption/codecs.ts

import { randomBytes } from "node:crypto";
import { compression, encryption } from "everstep/codecs";

// Yours come from where your secrets are kept, and never change under their id.
const keys = { "2026-10": randomBytes(32), "2026-11": randomBytes(32) };

/** Last month's: before the new key was named as the current one. */
export const lastMonth = [compression(), encryption({ keys, currentKeyId: "2026-10" })];

export default [compression(), encryption({ keys, currentKeyId: "2026-11" })];
