// The interceptor, whatever the tracer: the start of a run is a span, its headers carry the span's name, and every attempt
// of a step is a span within it, in whatever process it is made.

import type { Interceptor } from "everstep";
import { inSpan, traceparent, within } from "./tracer.ts";

export const tracing: Interceptor = {
  client: {
    start: (call, next) =>
      inSpan(`start ${call.workflow}`, () => {
        const parent = traceparent();
        return next(parent === undefined ? undefined : { headers: { ...call.headers, traceparent: parent } });
      }),
  },
  workflow: {
    // No span: a run lasts for days and is executed many times. What it logs finds its trace.
    execute: ({ info }, next) => within(info.headers.traceparent, next),
    handleSignal: ({ info }, next) => within(info.headers.traceparent, next),
    handleUpdate: ({ info }, next) => within(info.headers.traceparent, next),
    handleQuery: ({ info }, next) => within(info.headers.traceparent, next),
  },
  step: {
    // From the headers, never from what happens to be active: a worker executes many runs.
    execute: ({ name, context }, next) =>
      within(context.headers.traceparent, () => inSpan(`step ${name}`, next, { attempt: context.attempt })),
  },
};
