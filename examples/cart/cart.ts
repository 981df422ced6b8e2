// One cart per customer. Nobody starts it: it comes into being by its first operation, and is gone when it is checked out.

import { endEntity, entity, step } from "everstep";
import { reserve } from "./warehouse.ts";

export interface Item {
  readonly name: string;
  readonly count: number;
}

interface CartState {
  readonly customer: string;
  readonly items: Item[];
}

export const cart = entity("cart", {
  initial: (customer): CartState => ({ customer, items: [] }),
  operations: {
    add: async ({ items }, item: Item) => {
      // Should the warehouse refuse, the cart has never had the item.
      items.push(item);
      await step(`reserve ${item.name}`, () => reserve(item.name, item.count));
      return items.length;
    },
    checkout: ({ customer, items }) => {
      endEntity();
      return { customer, sold: items.map(({ name }) => name) };
    },
  },
  views: {
    total: ({ items }) => items.reduce((sum, { count }) => sum + count, 0),
  },
});
