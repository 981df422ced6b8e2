// Starts the one Postgres and the one Redis that all test files share, before the first of them, and ends both after
// the last. EVERSTEP_TEST_DATABASE_URL and EVERSTEP_TEST_REDIS_URL name servers of your own instead. Files never share
// data: each has a database (databases.ts) and a key prefix (redis.ts) of its own.

import type { TestProject } from "vitest/node";
import { startPrivatePostgres } from "./private-postgres.ts";
import { startPrivateRedis } from "./private-redis.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
    redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: { remove: () => Promise<void> }[] = [];
  const teardown = async (): Promise<void> => {
    await Promise.allSettled(started.splice(0).map((server) => server.remove()));
  };
  const own = async (server: Promise<{ url: string; remove: () => Promise<void> }>): Promise<string> => {
    const running = await server;
    started.push(running);
    return running.url;
  };
  try {
    const urls = await Promise.allSettled([
      process.env.EVERSTEP_TEST_DATABASE_URL ?? own(startPrivatePostgres()),
      process.env.EVERSTEP_TEST_REDIS_URL ?? own(startPrivateRedis()),
    ]);
    const [postgresUrl, redisUrl] = urls.map((url) => {
      if (url.status === "rejected") throw url.reason;
      return url.value;
    });
    if (postgresUrl === undefined || redisUrl === undefined) throw new Error("A test server has no address.");
    project.provide("postgresUrl", postgresUrl);
    project.provide("redisUrl", redisUrl);
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}
