// Notes, as the compiler sees them.

import { expect, expectTypeOf, test } from "vitest";
import type { WorkflowClient } from "../../sdk/client/client.ts";
import { type NoteLevel, note, setCurrentDetails, workflow } from "../../sdk/index.ts";

const order = workflow("order", async () => {});

function notes() {
  note("text");
  note("warn", "text");
  expectTypeOf<NoteLevel>().toEqualTypeOf<"info" | "warn" | "error">();
  // @ts-expect-error there is no such level
  note("debug", "text");
  // @ts-expect-error a text is said
  note({ text: "text" });
  // @ts-expect-error details are a text
  setCurrentDetails(null);
}

async function callers(client: WorkflowClient) {
  const run = await client.start(order, { summary: "a lamp", details: "for **Ann**" });
  // @ts-expect-error a summary is a text
  await client.start(order, { summary: 5 });
  const { notes, staticSummary, staticDetails, pending } = await run.describe();
  expectTypeOf(notes[0]?.level).toEqualTypeOf<NoteLevel | undefined>();
  expectTypeOf(staticSummary).toEqualTypeOf<string | null>();
  expectTypeOf(staticDetails).toEqualTypeOf<string | null>();
  expectTypeOf(pending?.currentDetails).toEqualTypeOf<string | null | undefined>();
}

test("the checks above are the compiler's", () => {
  expect([notes, callers]).toHaveLength(2);
});
