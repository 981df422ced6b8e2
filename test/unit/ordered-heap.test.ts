import fc from "fast-check";
import { expect, test } from "vitest";
import { OrderedHeap } from "../../runtime/store/memory/ordered-heap.ts";

interface Item {
  readonly key: number;
}

test("whatever comes and goes, the first of a heap is the least of those inside", () => {
  const step = fc.record({ key: fc.nat({ max: 50 }), leaves: fc.option(fc.nat({ max: 60 }), { nil: null }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 30, maxLength: 150 }), (steps) => {
      const heap = new OrderedHeap<Item>((a, b) => a.key < b.key);
      const inside: Item[] = [];
      for (const { key, leaves } of steps) {
        const item = { key };
        heap.add(item);
        inside.push(item);
        const [left] = leaves === null ? [] : inside.splice(leaves % inside.length, 1);
        if (left !== undefined) heap.remove(left);
        expect(heap.first?.key).toBe(inside.length === 0 ? undefined : Math.min(...inside.map((other) => other.key)));
      }
    }),
    { seed: 20_260_101, numRuns: 300 },
  );
});

test("an item is in a heap once, and leaves only the heap it is in", () => {
  const heap = new OrderedHeap<Item>((a, b) => a.key < b.key);
  const item = { key: 1 };
  heap.add(item);
  expect(() => heap.add(item)).toThrow("an item is in its heap once");
  heap.remove(item);
  expect(heap.first).toBeUndefined();
  expect(() => heap.remove(item)).toThrow("an item leaves the heap it is in");
});
