// A codec of the simulation's own: what it seals says which place it was sealed for, and it complains when it is opened at
// another. It takes its time, and is away now and then, as a service that has the keys would.

import type { PayloadCodec, PayloadPlace } from "../../runtime/codecs/payload-codec.ts";
import { pause } from "../../runtime/world/pause.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { Dice } from "./dice.ts";
import type { Server } from "./network.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

export interface SealOptions {
  readonly process: SimulatedProcess;
  readonly server: Server;
  readonly dice: Dice;
  /** How many calls take up to `LATE_MS`. */
  readonly lateShare: number;
  /** A planted defect: so many payloads are left as they are. */
  readonly plainShare: number;
  readonly violation: (kind: string, what: string) => void;
}

/** Longer than a store waits for one run's codecs when a call is about many runs. */
const LATE_MS = 400;

export function sealing({ process, server, dice, lateShare, plainShare, violation }: SealOptions): PayloadCodec {
  const reach = async (): Promise<void> => {
    if (dice.hits(lateShare)) await pause(process.world.clock, dice.int(1, LATE_MS));
    if (server.isDown) throw new Error("the keys cannot be had");
  };
  return {
    name: "sealed",
    async encode(bytes, place) {
      await reach();
      return dice.hits(plainShare) ? undefined : seal(bytes, place);
    },
    async decode(bytes, place) {
      await reach();
      const { binding, value } = JSON.parse(new TextDecoder().decode(bytes)) as ReturnType<typeof contents>;
      if (binding === place.binding) return Buffer.from(value, "base64");
      violation("codec", `${process.name} opens at ${place.binding} what was sealed for ${binding}`);
      throw new EverstepError("PAYLOAD_UNREADABLE", `simulated: sealed for ${binding}, opened at ${place.binding}`);
    },
  };
}

function seal(bytes: Uint8Array, place: PayloadPlace): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(contents(bytes, place)));
}

function contents(bytes: Uint8Array, { binding }: PayloadPlace) {
  return { binding, value: Buffer.from(bytes).toString("base64") };
}
