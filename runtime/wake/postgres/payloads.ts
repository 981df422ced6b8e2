// What travels in a notification: a JSON array, the sender's name first, then its topics; no longer than Postgres takes.
// What is read back may come from anybody who can connect: anything that is not such an array is passed over.

export interface WakePayload {
  readonly sender: string;
  readonly topics: readonly string[];
}

/** Postgres refuses 8,000 bytes and more. */
const MAX_BYTES = 7_999;

/** What JSON writes as it is, one byte for each character: nearly every topic, and there is one for each run that closes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** As few payloads as the limit allows. A topic too long to travel at all is left to polling. */
export function packTopics(sender: string, topics: readonly string[]): string[] {
  const opening = `[${JSON.stringify(sender)}`;
  const openingBytes = Buffer.byteLength(opening) + 1;
  const payloads: string[] = [];
  let payload = opening;
  let bytes = openingBytes;
  for (const topic of new Set(topics)) {
    const isPlain = PLAIN.test(topic);
    const item = isPlain ? `,"${topic}"` : `,${JSON.stringify(topic)}`;
    const itemBytes = isPlain ? item.length : Buffer.byteLength(item);
    if (openingBytes + itemBytes > MAX_BYTES) continue;
    if (bytes + itemBytes > MAX_BYTES) {
      payloads.push(`${payload}]`);
      payload = opening;
      bytes = openingBytes;
    }
    payload += item;
    bytes += itemBytes;
  }
  return payload === opening ? payloads : [...payloads, `${payload}]`];
}

export function unpackTopics(payload: string): WakePayload | undefined {
  let items: unknown;
  try {
    items = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!Array.isArray(items) || !items.every((item): item is string => typeof item === "string")) return undefined;
  const [sender, ...topics] = items;
  return sender === undefined ? undefined : { sender, topics };
}
