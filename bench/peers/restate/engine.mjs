// Restate: its server from npm beside one service endpoint, default durability, service handlers called through the
// ingress, 256 in flight. Its SDK needs Node 22 or newer, on Node 20 its calls hang.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as restate from "@restatedev/restate-sdk";
import * as clients from "@restatedev/restate-sdk-clients";
import { inFlight, memoryInUse, wait } from "../../measure.ts";

const IN_FLIGHT = 256;
const TEXT = "x".repeat(80);
const START_LIMIT_MS = 60_000;

const bodyTimes = new Map();
const replies = new Map();
const asleep = new Set();
const lateness = [];

const bench = restate.service({
  name: "bench",
  handlers: {
    steps: async (context, count) => {
      let total = 0;
      for (let index = 0; index < count; index++) {
        const { value } = await context.run("step", () => ({ value: index, text: TEXT }));
        total += value;
      }
      return total;
    },
    timedSteps: async (context, { key, count }) => {
      for (let index = 0; index < count; index++) {
        await context.run("step", () => {
          bodyTimes.get(key)?.push(performance.now());
          return { value: index, text: TEXT };
        });
      }
    },
    fanOut: async (context, width) => {
      const all = await restate.RestatePromise.all(
        Array.from({ length: width }, (_, index) => context.run("branch", () => ({ value: index, text: TEXT }))),
      );
      return all.reduce((total, { value }) => total + value, 0);
    },
    sleeper: async (context, { id, dueAt }) => {
      asleep.add(id);
      // The wall clock, not the journaled one: a round trip between reading it and sleeping would be lateness of ours. A
      // replay takes the time to wake at from the journal.
      await context.sleep(Math.max(0, dueAt - Date.now()));
      await context.run("woke", () => {
        lateness.push(Date.now() - dueAt);
      });
    },
  },
});

const echo = restate.workflow({
  name: "echo",
  handlers: {
    run: async (context) => {
      for (let turn = 0; ; turn++) {
        const index = await context.promise(`ask-${turn}`);
        if (index < 0) return;
        await context.run("reply", () => {
          replies.get(context.key)?.(index);
        });
      }
    },
    ask: async (context, { turn, index }) => {
      await context.promise(`ask-${turn}`).resolve(index);
    },
  },
});

let isStopping = false;

const warnings = ({ level }, ...message) => {
  if (isStopping) return; // a server that is killed takes every open invocation's connection along
  if (level === "warn" || level === "error") console.error(...message);
};

export function obstacle() {
  const [major] = process.versions.node.split(".").map(Number);
  return major < 22 ? `its SDK needs Node 22 or newer, this is ${process.version}` : undefined;
}

export default function restateEngine() {
  let server;
  let dir;
  let endpoint;
  let ingress;
  return {
    name: "restate",
    async start() {
      dir = mkdtempSync(join(tmpdir(), "bench-restate-"));
      const [servicePort, ingressPort, adminPort, nodePort] = await freePorts(4);
      endpoint = http2
        .createServer(restate.createEndpointHandler({ services: [bench, echo], logger: warnings }))
        .listen(servicePort, "127.0.0.1");
      server = startServer(dir, { ingressPort, adminPort, nodePort });
      await registerDeployment(adminPort, servicePort);
      ingress = clients.connect({ url: `http://127.0.0.1:${ingressPort}` });
    },
    async stop() {
      isStopping = true;
      const gone = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGKILL");
      await gone;
      endpoint.close();
      rmSync(dir, { recursive: true, force: true });
    },
    async runSteps(_id, count) {
      return ingress.serviceClient(bench).steps(count);
    },
    async runMany(_prefix, count, each) {
      const client = ingress.serviceClient(bench);
      await inFlight(count, IN_FLIGHT, () => client.steps(each));
    },
    async stepTimes(id, count) {
      const times = [];
      bodyTimes.set(id, times);
      await ingress.serviceClient(bench).timedSteps({ key: id, count });
      bodyTimes.delete(id);
      return times;
    },
    async runFanOut(_id, width) {
      return ingress.serviceClient(bench).fanOut(width);
    },
    async openEcho(id) {
      const client = ingress.workflowClient(echo, id);
      await client.workflowSubmit();
      let turn = 0;
      return {
        async ask(index) {
          const replied = new Promise((resolve) => replies.set(id, resolve));
          await client.ask({ turn: turn++, index });
          await replied;
        },
        async close() {
          await client.ask({ turn: turn++, index: -1 });
          await client.workflowAttach();
        },
      };
    },
    async startSleepers(prefix, count, dueAt) {
      lateness.length = 0;
      asleep.clear();
      // The server holds the sleepers, too: its memory counts.
      const inUse = () => memoryInUse() + residentBytes(server.pid);
      const before = inUse();
      const client = ingress.serviceSendClient(bench);
      await inFlight(count, IN_FLIGHT, (index) =>
        client.sleeper({ id: `${prefix}-${index}`, dueAt: Math.round(dueAt(index)) }),
      );
      return {
        async asleep() {
          while (asleep.size < count && Date.now() < dueAt(0)) await wait(50);
          await wait(1_000);
          return (inUse() - before) / count;
        },
        async woken() {
          while (lateness.length < count) await wait(50);
          return [...lateness];
        },
      };
    },
    async startOnly(_prefix, count, most) {
      const client = ingress.serviceSendClient(bench);
      const later = clients.rpc.sendOpts({ delay: 3_600_000 });
      await inFlight(count, most, () => client.steps(1, later));
    },
  };
}

function startServer(dir, { ingressPort, adminPort, nodePort }) {
  const server = spawn(serverBinary(), ["--no-logo"], {
    stdio: ["ignore", "ignore", 2],
    cwd: dir,
    env: {
      ...process.env,
      RESTATE_BASE_DIR: join(dir, "data"),
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_BIND_PORT: String(nodePort),
      RESTATE_ADVERTISED_HOST: "127.0.0.1",
      RESTATE_INGRESS__BIND_PORT: String(ingressPort),
      RESTATE_ADMIN__BIND_PORT: String(adminPort),
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_LOG_FILTER: "error,octocrab=off",
    },
  });
  process.once("exit", () => server.kill("SIGKILL"));
  return server;
}

function serverBinary() {
  const require = createRequire(import.meta.url);
  const name = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  return join(require.resolve(`${name}/package.json`), "..", "bin", "restate-server");
}

async function registerDeployment(adminPort, servicePort) {
  const endsAt = Date.now() + START_LIMIT_MS;
  let problem = "no answer";
  while (Date.now() < endsAt) {
    try {
      const response = await fetch(`http://127.0.0.1:${adminPort}/deployments`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ uri: `http://127.0.0.1:${servicePort}` }),
      });
      if (response.ok) return;
      problem = await response.text();
    } catch (error) {
      problem = String(error);
    }
    await wait(100);
  }
  throw new Error(`Restate took no deployment: ${problem}`);
}

async function freePorts(count) {
  const probes = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const probe = createServer().listen(0, "127.0.0.1", () => resolve(probe));
        }),
    ),
  );
  const ports = probes.map((probe) => probe.address().port);
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))));
  return ports;
}

function residentBytes(pid) {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
