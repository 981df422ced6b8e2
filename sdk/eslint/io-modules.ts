// Modules whose functions touch the world: those of Node, and packages that people use for it. For packages whose functions also
// make plain values (query builders, schemas, loggers) there is no telling: they are not here.

const NODE = [
  ...["fs", "fs/promises", "net", "tls", "http", "https", "http2", "dgram", "dns", "dns/promises", "child_process"],
  ...[
    "worker_threads",
    "cluster",
    "readline",
    "readline/promises",
    "repl",
    "sqlite",
    "inspector",
    "inspector/promises",
  ],
];

const PACKAGES = [
  // Requests
  ...["axios", "got", "ky", "undici", "node-fetch", "cross-fetch", "ofetch", "needle", "superagent", "graphql-request"],
  ...["ws", "socket.io", "socket.io-client", "@grpc/grpc-js"],
  // Databases
  ...["pg", "pg-promise", "pg-pool", "postgres", "mysql", "mysql2", "mysql2/promise", "mariadb", "mssql", "tedious"],
  ...["oracledb", "sqlite3", "better-sqlite3", "@libsql/client", "mongodb", "mongoose", "ioredis", "redis", "memjs"],
  ...["knex", "@prisma/client", "cassandra-driver", "neo4j-driver", "@elastic/elasticsearch", "@clickhouse/client"],
  // Queues and mail
  ...["kafkajs", "amqplib", "nats", "mqtt", "bullmq", "bull", "pg-boss", "nodemailer"],
  // Files and processes
  ...["fs-extra", "graceful-fs", "rimraf", "glob", "globby", "fast-glob", "chokidar", "execa", "cross-spawn", "ssh2"],
  // Services
  ...["stripe", "twilio", "resend", "openai", "@anthropic-ai/sdk", "@octokit/rest", "octokit", "@slack/web-api"],
  ...["firebase-admin", "aws-sdk", "@supabase/supabase-js", "@sendgrid/mail", "puppeteer", "playwright"],
  // Ours: what calls from outside of runs
  ...["everstep/client", "everstep/runtime"],
];
const SCOPES = ["@aws-sdk/", "@google-cloud/", "@azure/", "@smithy/"];

const nodeModules = new Set(NODE);
const packages = new Set(PACKAGES);

/** `module`: without "node:". */
export function isIoModuleOfNode(module: string): boolean {
  return nodeModules.has(module);
}

export function isIoPackage(module: string): boolean {
  return packages.has(module) || SCOPES.some((scope) => module.startsWith(scope));
}
