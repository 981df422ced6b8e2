// Servers that a chaos test may hurt: its own Postgres and Redis, stopped, restarted or frozen without harm to the
// tests beside it. Everything else shares the pair that global-setup.ts starts.

export {
  type PrivatePostgres,
  type PrivatePostgresOptions,
  startPrivatePostgres,
} from "./private-postgres.ts";
export { type PrivateRedis, startPrivateRedis } from "./private-redis.ts";
