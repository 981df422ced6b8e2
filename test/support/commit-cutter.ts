// A way to Postgres that can lose the answer to a COMMIT: passes bytes on until it is armed and a client's bytes hold
// that statement; those still reach the server, and when it has answered the connection is cut instead.

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface CommitCutter {
  /** The same database as the given URL's, by way of the cutter. */
  readonly url: string;
  /** The next so many commits of transactions lose their answers. */
  readonly arm: (cuts: number) => void;
  /** Cuts made so far. */
  readonly cuts: () => number;
}

/** The simple query `commit`, as node-postgres sends it: type, length, text, zero. */
const COMMIT = Buffer.from("Q\0\0\0\x0bcommit\0", "latin1");

export async function startCommitCutter(databaseUrl: string): Promise<CommitCutter> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let armed = 0;
  let made = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    let isLosing = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on("data", (bytes) => {
      if (armed > 0 && bytes.includes(COMMIT)) {
        armed--;
        isLosing = true;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!isLosing) return void client.write(bytes);
      // It has answered, so it has committed; nobody will know.
      made++;
      client.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("A TCP server without a TCP address.");
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${address.port}`;
  return {
    url: url.href,
    arm: (cuts) => {
      armed += cuts;
    },
    cuts: () => made,
  };
}
