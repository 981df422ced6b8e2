// What is done to runs by hand, to one and to many, as the compiler sees it.

import { expect, expectTypeOf, test } from "vitest";
import type { BulkReport } from "../../sdk/client/bulk-report.ts";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { defineSignal, defineStep, workflow } from "../../sdk/index.ts";
import type { ErrorCode } from "../../sdk/protocol/errors.ts";

const order = workflow("order", async () => {});
const approve = defineSignal<{ by: string }>("approve");
const poke = defineSignal("poke");
const sign = defineStep("sign", async (_: string) => ({ by: "Ann" }));

async function waits(client: WorkflowClient) {
  const run = await client.start(order);
  expectTypeOf(run.retryNow()).resolves.toEqualTypeOf<void>();
  run.retryNow("charge", { requestId: "r" });
  run.retryNow(7);
  run.retryNow(sign);
  run.skipSleep("sleep");
  run.skipSleep(7, { requestId: "r" });
  run.pause("lunch", { actor: "Ann" });
  run.resume({ actor: "Ann" });
  run.retryFrom(sign, { signals: "drop", undone: "share", actor: "Ann" });
  // @ts-expect-error neither of the two
  run.retryFrom(sign, { undone: "keep" });
  run.completeStep(sign, { by: "Ann" }, { actor: "Ann" });
  run.retryFrom(order);
  run.retryFrom("order-42-child");
  // @ts-expect-error a step or a child has a name
  run.retryFrom(7);
  // @ts-expect-error who acts has a name
  run.unblock({ actor: 7 });
  // @ts-expect-error a timer has a name or a number
  run.skipSleep(sign);
  // @ts-expect-error there is no such option
  run.retryNow("charge", { reportId: "r" });
}

async function bulks(client: WorkflowClient) {
  const where = { workflow: "order", status: "failed" } as const;
  expectTypeOf(client.bulk({ where }).pause()).resolves.toEqualTypeOf<BulkReport>();
  client.bulk({ where }).signal(approve, { by: "Ann" });
  client.bulk({ where }).signal(poke);
  client.bulk({ where }).completeStep(sign, { by: "Ann" });
  client.bulk({ where }).completeStep("sign", 7);
  client.bulk({ where }).fork(({ workflowId }) => ({ id: `${workflowId}-again` }));
  client.bulk({ where }).reset({ at: 1 });
  client.bulk({ where, actor: "Ann" }).retryFrom(sign);
  // @ts-expect-error the payload of a signal is not optional here
  client.bulk({ where }).signal(approve);
  // @ts-expect-error what a step gives is what completes it
  client.bulk({ where }).completeStep(sign, { by: 7 });
  // @ts-expect-error numbers of commands differ from run to run
  client.bulk({ where }).retryNow(7);
  // @ts-expect-error which runs are meant is said
  client.bulk({ isDryRun: true });
  // @ts-expect-error a reset stays under the id of its run
  client.bulk({ where }).reset(() => ({ id: "other" }));
  const { notDone, done } = await client.bulk({ where }).terminate();
  expectTypeOf(done).toEqualTypeOf<number>();
  expectTypeOf(notDone[0]?.code).toEqualTypeOf<ErrorCode | null | undefined>();
}

test("the checks above are the compiler's", () => {
  expect([waits, bulks]).toHaveLength(2);
});
