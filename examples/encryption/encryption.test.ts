// What the store gets to see of a run, and a key that is rotated in its middle.

import type { PayloadCodec } from "everstep/codecs";
import { crashEverywhere, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import codecs, { lastMonth } from "./codecs.ts";
import { diagnosis, visit } from "./workflow.ts";

const input = { name: "Ann Ash", born: new Date("1980-02-29") };
const result = "Ann Ash, born in 1980: a cold";

/** The last of the chain: keeps what goes on to the store. */
function onlooker(): PayloadCodec & { readonly seen: string[] } {
  const seen: string[] = [];
  return {
    name: "onlooker",
    seen,
    encode: (bytes) => {
      seen.push(Buffer.from(bytes).toString("latin1"));
      return undefined;
    },
    decode: (bytes) => bytes,
  };
}

async function visitOnce(chain: readonly PayloadCodec[], between: () => void = () => {}): Promise<string> {
  const env = await testEnvironment({ workflows: [visit], codecs: chain });
  try {
    const run = await env.client.start(visit, { input });
    await env.advance("20 days");
    between();
    await run.signal(diagnosis, { text: "a cold" });
    return await run.result();
  } finally {
    await env.stop();
  }
}

test("no word of a visit comes to the store, where all of it would without codecs", async () => {
  for (const [chain, isReadable] of [
    [codecs, false],
    [[], true],
  ] as const) {
    const onlooking = onlooker();
    expect(await visitOnce([...chain, onlooking])).toBe(result);
    const stored = onlooking.seen.join();
    for (const word of ["Ann", "1980", "cold"]) expect(stored.includes(word)).toBe(isReadable);
  }
});

test("a run that was begun under last month's key goes on under this month's", async () => {
  const [compressing, before] = lastMonth as [PayloadCodec, PayloadCodec];
  const [, now] = codecs as [PayloadCodec, PayloadCodec];
  let current = before;
  // One process cannot be two releases: this writes like the old one, then like the new one, and reads like the new one.
  const rotated: PayloadCodec = { ...now, encode: (bytes, place) => current.encode(bytes, place) };
  const onlooking = onlooker();
  const rotate = () => {
    current = now;
  };
  expect(await visitOnce([compressing, rotated, onlooking], rotate)).toBe(result);
  for (const key of ["2026-10", "2026-11"]) expect(onlooking.seen.some((bytes) => bytes.includes(key))).toBe(true);
});

test("a crash anywhere changes nothing of it", async () => {
  const { crashes, places } = await crashEverywhere(visit, {
    input,
    codecs,
    script: (run) => run.signal(diagnosis, { text: "a cold" }),
  });
  expect(crashes).toBe(places);
});
