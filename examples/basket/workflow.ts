// A basket that lives in a run: updates change it and are answered, with what is in it or with why not.

import { allHandlersFinished, condition, defineQuery, defineUpdate, step, workflow } from "everstep";
import { reserve } from "./warehouse.ts";

export interface Item {
  readonly name: string;
  readonly count: number;
}

export const addItem = defineUpdate<readonly Item[], Item>("addItem");
export const checkout = defineUpdate<{ total: number }>("checkout");
export const contents = defineQuery<readonly Item[]>("contents");

export const basket = workflow("basket", async () => {
  const items: Item[] = [];
  let isCheckedOut = false;

  contents.handle(() => items);

  addItem.handle(
    async (item) => {
      await step(`reserve ${item.name}`, () => reserve(item), { retry: { maxAttempts: 3, initialInterval: "100ms" } });
      items.push(item);
      return items;
    },
    {
      // Sees the basket as it is, before anything is written: what it refuses has never happened.
      validate: ({ count }) => {
        if (isCheckedOut) throw new Error("the basket is checked out");
        if (count < 1) throw new RangeError("nothing is added");
      },
    },
  );

  checkout.handle(() => {
    isCheckedOut = true;
    return { total: items.reduce((sum, { count }) => sum + count, 0) };
  });

  await condition(() => isCheckedOut);
  await condition(allHandlersFinished);
  return items;
});
