// What a simulation met. A property that only holds because its case never came up is not tested: so every interesting
// case is counted, and a long run in which one of `SOMETIMES` never happened fails.

export class Probes {
  readonly counts = new Map<string, number>();

  hit(name: string, times = 1): void {
    if (times > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  add(other: Iterable<readonly [string, number]>): void {
    for (const [name, times] of other) this.hit(name, times);
  }
}

export const SOMETIMES = [
  "append: fenced",
  "append: same turn arrived twice",
  "append: refused, too early",
  "append: refused, head moved",
  "append: committed",
  "append: seen before it was committed",
  "close: refused, mail first",
  "close: with unread signals",
  "in doubt: landed",
  "in doubt: not landed",
  "in doubt: lost",
  "transaction: committed",
  "transaction: refused",
  "claim: suspect",
  "claim: answer unheard, given back",
  "rescued",
  "released",
  "quarantined",
  "parked",
  "park: refused, mail came",
  "park: refused, not owned",
  "mail: woke a parked run",
  "mail: handed over within the process",
  "mail: duplicate recognised",
  "mail: refused, closed",
  "signal: before the first line",
  "repair: step retried",
  "repair: timer skipped",
  "repair: came too late",
  "repair: nothing waited",
  "update: told the acceptance",
  "update: answered",
  "update: refused",
  "update: UPDATE_REJECTED",
  "update: RUN_CLOSED",
  "start: repeated, same run",
  "start: existing run used",
  "start: claimed at once",
  "step: again after a crash",
  "step: attempt failed, tried again",
  "step: failed for good",
  "heartbeat: kept",
  "heartbeat: refused, not owned",
  "lease: lapsed",
  "query: answered",
  "query: of a run nobody owned",
  "lock: granted",
  "lock: granted after it was given up",
  "lock: let go with its run",
  "run: completed",
  "run: failed",
  "run: canceled",
  "run: terminated",
  "run: timedOut",
  "client: told the result",
  "fault: request lost",
  "fault: reply lost",
  "fault: executed after the caller gave up",
  "fault: server down",
  "fault: wake-up lost",
  "fault: wake-up doubled",
  "fault: wake-up late",
  "fault: leases emptied",
  "fault: leases down",
  "fault: lease evicted",
  "fault: store down",
  "fault: kill",
  "fault: pause",
  "fault: stopped by a signal",
  "calm seed",
] as const;
