// Invoices are charged through a provider that may be down for hours, and followed by a reminder after a month.

import { sleep, step, workflow } from "everstep";

/** Stands in for somebody else's service. */
export const provider = {
  isUp: false,
  charge(customer: string): string {
    if (!this.isUp) throw new Error("503 Service Unavailable");
    return `charge of ${customer}`;
  },
};

export const invoice = workflow("invoice", async (customer: string) => {
  const charge = await step("charge", () => provider.charge(customer), { retry: { initialInterval: "1h" } });
  await sleep("30 days");
  await step("remind", () => `Dear ${customer}, …`);
  return charge;
});
