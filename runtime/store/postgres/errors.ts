// What an error of the database means to a caller: did the statement surely not commit, or is that unknown? The only
// place that reads SQLSTATEs.

import { EverstepError, isEverstepError } from "../../../sdk/protocol/errors.ts";

/** Where we were connecting to, for messages. Never holds a password. */
export interface Target {
  readonly host: string;
  readonly database: string;
  readonly user: string;
}

/** The statement lost against another one and was rolled back whole: sending the very same again is right. */
export function isSerializationLoss(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
}

export function isUniqueViolation(error: unknown): boolean {
  return causeState(error) === "23505";
}

export function isMissingTable(error: unknown): boolean {
  const state = causeState(error);
  return state === "42P01" || state === "3F000";
}

function causeState(error: unknown): string | undefined {
  return sqlState(isEverstepError(error) ? error.cause : error);
}

/** The connection may be in any state: close it instead of handing it to the next. */
export function spoilsConnection(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(08|57P|XX)/.test(state);
}

export function toStoreError(error: unknown, target: Target): EverstepError {
  if (isEverstepError(error)) return error;
  const reason = error instanceof Error ? error.message || String(errorCode(error)) : String(error);
  const state = sqlState(error);
  const details = { ...target, ...(state === undefined ? {} : { sqlState: state }) };
  if (state === undefined) {
    return new EverstepError(
      "STORE_UNAVAILABLE",
      `Postgres at ${target.host} cannot be reached or stopped answering (${reason}). Check that it runs and is reachable from here.`,
      { cause: error, details },
    );
  }
  if (/^28|^3D000/.test(state)) {
    return new EverstepError(
      "STORE_REFUSED",
      `Postgres at ${target.host} refused user "${target.user}" for database "${target.database}": ${reason}. Check the database URL.`,
      { cause: error, details },
    );
  }
  const code = schemaFault(state);
  if (code !== undefined) {
    const what = code === "SCHEMA_MISSING" ? "has no Everstep schema" : "has an older Everstep schema";
    return new EverstepError(
      code,
      `Database "${target.database}" at ${target.host} ${what}: ${reason}. Run \`everstep migrate\`.`,
      { cause: error, details },
    );
  }
  if (isUnavailable(state)) {
    return new EverstepError(
      "STORE_UNAVAILABLE",
      `Postgres at ${target.host} did not finish the statement: ${reason} (${state}).`,
      {
        cause: error,
        details,
      },
    );
  }
  const advice =
    state === "26000" || state === "42P05"
      ? " A pooler in between does not keep prepared statements: set `isPooled: true`."
      : "";
  return new EverstepError("STORE_REJECTED", `Postgres rejected a statement: ${reason} (${state}).${advice}`, {
    cause: error,
    details,
  });
}

// Ambiguous or passing: lost connections (08), resources (53, 58), operator action and shutdown (57), deadlocks that
// lost too often (40), lock timeouts, a primary that has become a standby, an idle transaction ended, internal errors.
function isUnavailable(state: string): boolean {
  return /^(08|40|53|57|58|XX)/.test(state) || state === "55P03" || state === "25006" || state === "25P03";
}

// Only our own statements come here, and they name nothing but our own: what they miss, a migration brings.
function schemaFault(state: string): "SCHEMA_MISSING" | "SCHEMA_BEHIND" | undefined {
  if (state === "42P01" || state === "3F000") return "SCHEMA_MISSING";
  return state === "42703" || state === "42883" ? "SCHEMA_BEHIND" : undefined;
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function sqlState(error: unknown): string | undefined {
  const code = errorCode(error);
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}
