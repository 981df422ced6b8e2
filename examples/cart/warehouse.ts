// Stands for a service of somebody else's.

import { PermanentError } from "everstep";

export async function reserve(name: string, count: number): Promise<void> {
  if (count > 10) throw new PermanentError(`there are no ${count} of ${name}`);
}
