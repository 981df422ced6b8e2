// TypeScript's language server on this project, asked what an editor shows for a name.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./pages.ts";

/** Where a name is first, on a line that has this text. */
export interface Place {
  readonly file: string;
  readonly line: string;
  readonly name: string;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly items?: readonly unknown[] };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class LanguageServer implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #opened = new Map<string, string>();
  #received: Buffer = Buffer.alloc(0);
  #lastId = 0;

  private constructor() {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    this.#process = spawn(process.execPath, [compiler, "--lsp", "--stdio"], { cwd: root });
    this.#process.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#process.stderr.resume();
  }

  static async open(): Promise<LanguageServer> {
    const server = new LanguageServer();
    const folder = pathToFileURL(root).href;
    await server.#ask("initialize", {
      processId: process.pid,
      rootUri: folder,
      workspaceFolders: [{ uri: folder, name: "project" }],
      capabilities: { textDocument: { hover: { contentFormat: ["markdown"] } } },
    });
    server.#send({ method: "initialized", params: {} });
    return server;
  }

  /** The type that is shown, without what is said about it. */
  async hover(place: Place): Promise<string> {
    const { file, line, name } = place;
    const uri = pathToFileURL(join(root, file)).href;
    const lines = this.#textOf(file, uri).split("\n");
    const lineNumber = lines.findIndex((each) => each.includes(line));
    const start = lines[lineNumber]?.indexOf(line) ?? 0;
    const column = lines[lineNumber]?.slice(start).search(new RegExp(`\\b${name}\\b`)) ?? -1;
    if (column < 0) throw new Error(`${file} has no ${name} on a line with ${line}`);
    const shown = await this.#ask("textDocument/hover", {
      textDocument: { uri },
      position: { line: lineNumber, character: start + column },
    });
    const { value } = (shown as { readonly contents: { readonly value: string } }).contents;
    return /^```\w*\n([\s\S]*?)\n```/.exec(value)?.[1] ?? value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "close");
    await this.#ask("shutdown");
    this.#send({ method: "exit" });
    this.#process.stdin.end();
    await ended;
  }

  #textOf(file: string, uri: string): string {
    const opened = this.#opened.get(file);
    if (opened !== undefined) return opened;
    const text = readFileSync(join(root, file), "utf8");
    this.#opened.set(file, text);
    const textDocument = { uri, languageId: "typescript", version: 1, text };
    this.#send({ method: "textDocument/didOpen", params: { textDocument } });
    return text;
  }

  async #ask(method: string, params?: object): Promise<unknown> {
    const id = ++this.#lastId;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#send({ id, method, params });
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: "2.0", ...message });
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const header = this.#received.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/i.exec(this.#received.toString("latin1", 0, header))?.[1]);
      const end = header + 4 + length;
      if (header < 0 || this.#received.length < end) return;
      const message = JSON.parse(this.#received.toString("utf8", header + 4, end)) as Message;
      this.#received = this.#received.subarray(end);
      this.#handle(message);
    }
  }

  #handle({ id, ...message }: Message): void {
    if (id === undefined) return;
    if (message.method === undefined) return this.#waiting.get(id)?.(message);
    // It asks for settings, and to be told of changed files: it gets the defaults, and no more.
    this.#send({ id, result: message.params?.items?.map(() => null) ?? null });
  }
}
