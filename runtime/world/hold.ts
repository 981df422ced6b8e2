// Keeps the process alive although nothing else does: timers of the World do not, and while a server is away there is no
// socket either.

import { MessageChannel } from "node:worker_threads";

/** Answers how to let go. */
export function holdProcess(): () => void {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", () => {});
  return () => {
    port1.close();
    port2.close();
  };
}
