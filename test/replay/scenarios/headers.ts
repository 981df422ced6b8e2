// What runs are started with for whoever stands around their code, and what stands there.

import { type Interceptor, sleep, step, workflowInfo } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const adding: Interceptor = {
  client: { start: (call, next) => next({ headers: { ...call.headers, by: "interceptor" } }) },
  workflow: { execute: (_, next) => next() },
  step: { execute: (_, next) => next() },
};

async function readsHeaders() {
  const before = workflowInfo().headers;
  const inStep = await step("look", ({ headers }) => headers);
  await sleep("1 day");
  const inLaterStep = await step("look again", ({ headers }) => headers);
  return [before, inStep, inLaterStep, workflowInfo().headers];
}

const given = { traceparent: "00-1-2-01", tenant: "Zoë" };

export const headers: readonly Scenario[] = [
  scenario(
    "headers are the same in the code and in every step",
    readsHeaders,
    { result: [given, given, given, given] },
    { start: ({ env, workflow }) => env.client.start(workflow, { headers: given }) },
  ),
  scenario("a run without headers has none", readsHeaders, { result: [{}, {}, {}, {}] }),
  scenario(
    "headers that an interceptor adds, with interceptors around all of it",
    readsHeaders,
    { result: Array(4).fill({ ...given, by: "interceptor" }) },
    { interceptors: [adding], start: ({ env, workflow }) => env.client.start(workflow, { headers: given }) },
  ),
];
