// An entity whose history grows quickly, because some of what is booked is long.

import { entity, step } from "everstep";

interface Account {
  total: number;
  readonly texts: string[];
}

export const account = entity("account", {
  initial: (): Account => ({ total: 0, texts: [] }),
  operations: {
    book: async (state, entry: { readonly text: string; readonly padding: string }) => {
      state.total = await step("add", async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return state.total + 1;
      });
      state.texts.push(entry.text);
      return state.total;
    },
  },
  views: { all: (state) => state },
});

export const workflow = account.workflow;
