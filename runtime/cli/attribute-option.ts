// `--attribute` on the command line: what a run is started with. The type is said, because the text does not tell it.

import { Option } from "commander";
import { ATTRIBUTE_CODES, type AttributeChanges, type AttributeType } from "../../sdk/protocol/attributes.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { defineAttributes } from "../../sdk/workflow/attributes.ts";

export function attributeOption(): Option {
  const types = Object.keys(ATTRIBUTE_CODES).join(", ");
  return new Option("--attribute <name:type=value...>", `to be found by; types are ${types} (commas between keywords)`);
}

/** Throws ARGUMENT_INVALID, quoting what cannot be read. */
export function parseAttributes(given: readonly string[] = []): AttributeChanges {
  return Object.assign({}, ...given.map(parseOne)) as AttributeChanges;
}

function parseOne(given: string): AttributeChanges {
  const [, name = "", type = "", text = ""] = /^([^:=]+):(\w+)=(.*)$/s.exec(given) ?? [];
  if (!Object.hasOwn(ATTRIBUTE_CODES, type)) {
    const message = `--attribute takes a name, a type and a value, as in amount:double=12.5; got "${given}".`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "--attribute" } });
  }
  return defineAttributes({ [name]: type as AttributeType })({ [name]: READ[type as AttributeType](text) } as never);
}

const READ: Readonly<Record<AttributeType, (text: string) => unknown>> = {
  keyword: (text) => text,
  text: (text) => text,
  int: (text) => (text.trim() === "" ? Number.NaN : Number(text)),
  double: (text) => (text.trim() === "" ? Number.NaN : Number(text)),
  bool: (text) => (text === "true" ? true : text === "false" ? false : text),
  datetime: (text) => new Date(text),
  keywordList: (text) => text.split(","),
};
