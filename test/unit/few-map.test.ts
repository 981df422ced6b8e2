import fc from "fast-check";
import { expect, test } from "vitest";
import { FewMap } from "../../sdk/workflow/few-map.ts";

const key = fc.integer({ min: 1, max: 4 });
const call = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("set" as const), key, value: fc.integer() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("delete" as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const) }) },
);

test("it is a Map, whatever is done to it", () => {
  fc.assert(
    fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
      const map = new Map<number, number>();
      const few = new FewMap<number, number>();
      for (const each of calls) {
        if (each.do === "set") {
          map.set(each.key, each.value);
          few.set(each.key, each.value);
        } else if (each.do === "delete") {
          expect(few.delete(each.key)).toBe(map.delete(each.key));
        } else {
          map.clear();
          few.clear();
        }
        expect([...few.values()]).toEqual([...map.values()]);
        expect(few.size).toBe(map.size);
        for (const one of [1, 2, 3, 4]) {
          expect(few.get(one)).toBe(map.get(one));
          expect(few.has(one)).toBe(map.has(one));
        }
      }
    }),
  );
});

test("entries that go while it is gone through are not met", () => {
  const few = new FewMap<string, string>();
  for (const name of ["a", "b", "c"]) few.set(name, name);
  const met: string[] = [];
  for (const name of few.values()) {
    met.push(name);
    few.delete("b");
  }
  expect(met).toEqual(["a", "c"]);
});
