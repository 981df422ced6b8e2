// Stands for a service of somebody else's.

import { PermanentError } from "everstep";
import type { Item } from "./workflow.ts";

export async function reserve({ name, count }: Item): Promise<void> {
  if (count > 10) throw new PermanentError(`there are no ${count} of ${name}`);
}
