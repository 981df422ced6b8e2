// Nothing in a workflow tells that its payloads are encrypted.

import { defineSignal, step, workflow } from "everstep";

export const diagnosis = defineSignal<{ text: string }>("diagnosis");

export const visit = workflow("visit", async (patient: { name: string; born: Date }) => {
  const file = await step("open file", () => `${patient.name}, born in ${patient.born.getUTCFullYear()}`);
  const { text } = await diagnosis.receive();
  return `${file}: ${text}`;
});
