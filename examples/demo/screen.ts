// What the demo shows: a bar that moves, with lines of news above it. Where there is no terminal, a plain line for every
// tenth of the way.

import { MultiBar, type SingleBar } from "cli-progress";

const BAR = {
  format: "        {bar} {value}/{total} batches · {note}",
  barsize: 24,
  hideCursor: true,
  linewrap: true, // else the news above the bar are cut at the edge of the screen
  clearOnComplete: true,
};

export class Screen {
  readonly #startedAt = performance.now();
  readonly #bars = process.stdout.isTTY ? new MultiBar(BAR) : undefined;
  #bar: SingleBar | undefined;
  #lastShown = "";

  say(line: string): void {
    const seconds = ((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5);
    if (this.#bar === undefined) console.log(`${seconds}s  ${line}`);
    else this.#bars?.log(`${seconds}s  ${line}\n`);
    this.#bars?.update();
  }

  showProgress(done: number, total: number, note: string): void {
    if (this.#bars !== undefined) {
      this.#bar ??= this.#bars.create(total, 0, { note });
      this.#bar.update(done, { note });
      return;
    }
    const line = `${Math.floor((done * 10) / total) * 10}% of ${total} batches · ${note}`;
    if (line !== this.#lastShown) this.say(line);
    this.#lastShown = line;
  }

  /** Takes the bar away; what is said from now on stays at the end. */
  closeBar(): void {
    this.#bars?.stop();
    this.#bar = undefined;
  }
}
