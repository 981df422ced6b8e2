// A request comes in, starts a run, and is answered; the run's steps belong to its trace all the same.

import { embedded } from "everstep/runtime";
import { inSpan, spans } from "./tracer.ts";
import { tracing } from "./tracing.ts";
import { delivery } from "./workflow.ts";

const everstep = await embedded({ workflows: [delivery], interceptors: [tracing], logLevel: "error" });
try {
  const run = await inSpan("POST /parcels", () => everstep.client.start(delivery, { input: "parcel 7" }));
  console.log(await run.result());
  const traces = new Set(spans.map(({ traceId }) => traceId));
  console.log(`${traces.size} trace:`);
  for (const { name, parentId, attributes, error } of spans) {
    const parent = spans.find(({ spanId }) => spanId === parentId);
    const details = [parent && `in "${parent.name}"`, attributes.attempt && `attempt ${attributes.attempt}`, error];
    console.log([`  ${name}`, ...details.filter((each) => each !== undefined)].join(", "));
  }
} finally {
  await everstep.stop();
}
