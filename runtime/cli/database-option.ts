// Which database a command works on: --database, else DATABASE_URL. There is no default: a command that changes a
// database must have been told which.

import { Option } from "commander";
import { EverstepError } from "../../sdk/protocol/errors.ts";

export interface DatabaseOption {
  readonly database?: string;
}

export function databaseOption(): Option {
  return new Option("--database <url>", "the Postgres to work on, as postgres://user@host:port/name").env(
    "DATABASE_URL",
  );
}

export function requireDatabase({ database }: DatabaseOption): string {
  if (database === undefined || database === "") {
    throw new EverstepError(
      "CONFIGURATION_INVALID",
      "No database was named. Pass --database postgres://user@host:port/name, or set DATABASE_URL.",
    );
  }
  if (!/^postgres(ql)?:\/\//.test(database) || !URL.canParse(database)) {
    throw new EverstepError(
      "CONFIGURATION_INVALID",
      "The database must be a URL that starts with postgres://, as in postgres://user@host:5432/name.",
    );
  }
  return database;
}

/** For messages: the URL without its password. */
export function withoutPassword(url: string): string {
  const shown = new URL(url);
  if (shown.password !== "") shown.password = "***";
  return shown.href;
}
