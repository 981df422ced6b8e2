// The log of a real process: one JSON object per line, by pino. The names of our own fields are the same in every line
// and every release, because dashboards and alerts are built on them. Loaded with the world, before a worker guards the
// globals; the output is opened by the first line.

import { type Logger, pino } from "pino";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Log } from "./world.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface SystemLogOptions {
  readonly level?: LogLevel;
  /** Takes whole lines; standard output when absent. */
  readonly writeLine?: (line: string) => void;
}

export function systemLog({ level = "info", writeLine }: SystemLogOptions = {}): Log {
  let logger: Logger | undefined;
  const opened = (): Logger => {
    logger ??= openLogger(level, writeLine);
    return logger;
  };
  return {
    debug: (fields, message) => opened().debug(fields, message),
    info: (fields, message) => opened().info(fields, message),
    warn: (fields, message) => opened().warn(fields, message),
    error: (fields, message) => opened().error(fields, message),
  };
}

// Kept from before a worker guards the globals: a log line inside a run still tells the real time.
const RealDate = Date;
const wallNow = Date.now;

function openLogger(level: LogLevel, writeLine: ((line: string) => void) | undefined): Logger {
  const options = {
    level,
    base: { service: "everstep", pid: process.pid },
    messageKey: "message",
    timestamp: () => `,"at":"${new RealDate(wallNow()).toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: (value: unknown) => describeError(value) },
  };
  return writeLine === undefined ? pino(options) : pino(options, { write: writeLine });
}

/** An error as data, with its code and what caused it; a cause that leads back to itself is told once. */
function describeError(value: unknown, seen: ReadonlySet<unknown> = new Set()): unknown {
  if (!(value instanceof Error) || seen.has(value)) return value instanceof Error ? value.message : value;
  const told = new Set([...seen, value]);
  return {
    name: value.name,
    message: value.message,
    ...(isEverstepError(value) ? { code: value.code, retryable: value.retryable, details: value.details } : {}),
    ...("code" in value && !isEverstepError(value) ? { code: value.code } : {}),
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: describeError(value.cause, told) }),
  };
}
