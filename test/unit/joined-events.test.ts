import { expect, test } from "vitest";
import { eventsOf } from "../../runtime/store/postgres/joined-events.ts";

const row = (...columns: readonly (string | number)[]) => columns.join("\u001f");

test("events come in their order, whatever order they were joined in, and an empty text is not none", () => {
  const rows = [row(2, 5, 1, ".", "", ".{}", 20), row(1, 1, "", ".order", ".", "", 10)];
  expect(eventsOf(rows.join("\u001e"))).toEqual([
    { seq: 1, at: 10, type: 1, command: null, name: "order", payload: "", data: null },
    { seq: 2, at: 20, type: 5, command: 1, name: "", payload: null, data: "{}" },
  ]);
});
