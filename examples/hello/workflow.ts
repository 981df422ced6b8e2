// A workflow is an async function. What touches the world is a step; a step that is done is never done again.

import { sleep, step, workflow } from "everstep";

export const hello = workflow("hello", async (input: { name: string }) => {
  const greeting = await step("greet", () => `Hello, ${input.name}!`);
  await sleep("1s"); // or "30 days": the run waits in the database, not in a process
  const farewell = await step("take leave", () => `Goodbye, ${input.name}.`);
  return `${greeting} ${farewell}`;
});
