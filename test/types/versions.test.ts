// Versions, as the compiler sees them.

import { expect, expectTypeOf, test } from "vitest";
import type { WorkflowVersion } from "../../runtime/client.ts";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { continueAsNew, executeChild, startChild, type Workflow, workflow, workflowInfo } from "../../sdk/index.ts";

const order = workflow("order", async (n: number) => `${n}`, { version: "1.4.0", timeout: "1h" });
// @ts-expect-error a version is a text
const numbered = () => workflow("order", async () => {}, { version: 1 });

function inside() {
  expectTypeOf(order).toEqualTypeOf<Workflow<number, string>>();
  expectTypeOf(workflowInfo().version).toEqualTypeOf<string | undefined>();
  expectTypeOf(executeChild(order, { input: 1, version: "^1.2" })).toEqualTypeOf<Promise<string>>();
  // @ts-expect-error the input is still asked for
  startChild(order, { version: "1.4.0" });
  continueAsNew(order, 1, { version: "policy" });
}

async function callers(client: WorkflowClient) {
  const run = await client.start(order, { input: 1, version: "~1.4" });
  expectTypeOf(await run.result()).toEqualTypeOf<string>();
  await run.moveTo("2.0.0");
  await run.moveTo(null);
  // @ts-expect-error where to is said
  await run.moveTo();
  await run.reset({ at: 3, version: null });
  expectTypeOf((await run.describe()).version).toEqualTypeOf<string | null>();
  await client.list({ version: "1.4.0", where: { queue: "default" } });
  await client.list({ where: { version: null } });
  await client.countBy("version");
  await client.setVersionPolicy(order, { current: "1.4.0" });
  await client.setVersionPolicy("order", { current: "1.4.0", ramp: { version: "2.0.0", percent: 10 } });
  // @ts-expect-error a ramp says how much
  await client.setVersionPolicy("order", { current: "1.4.0", ramp: { version: "2.0.0" } });
  expectTypeOf((await client.versions(order)).versions[0]).toEqualTypeOf<WorkflowVersion | undefined>();
}

test("the checks above are the compiler's", () => {
  expect([inside, callers, numbered]).toHaveLength(3);
});
