/** What the stories of links share: a feed of numbered events, what came of it, times to flow again. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Test } from 'tap';
import { sum } from '../../src/wire/status.js';
import type { FakeLower } from '../fake/lower.js';
import type { FakeUpper } from '../fake/upper.js';
import { numberedEvents, numberOf, type RunningRelay } from './relay.js';

const EVERY = 10;

/** Numbers some of which may never have been read: a lower server was in trouble. */
export interface Gap {
  readonly after: number;
  upto: number;
}

/** Sends events in order, as long as somebody is there to take them. */
export class Feed {
  readonly first: number;
  readonly gaps: Gap[] = [];
  /** The last number that was sent. */
  last: number;
  lower: FakeLower;
  readonly #batch: number;
  #timer: NodeJS.Timeout | undefined;

  /** @param batch events each 10 ms */
  constructor(t: Test, lower: FakeLower, first: number, batch = 2) {
    this.lower = lower;
    this.first = first;
    this.last = first - 1;
    this.#batch = batch;
    t.teardown(() => this.pause());
  }

  get flowing(): boolean {
    return this.lower.connections.at(-1)?.inLoop === true;
  }

  resume(): void {
    this.#timer ??= setInterval(() => {
      if (this.flowing) this.send(this.#batch);
    }, EVERY);
  }

  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  send(count: number): void {
    this.lower.send(numberedEvents(this.last + 1, this.last + count));
    this.last += count;
  }
}

/** A server on the way in is trouble of its own: takes connections, and says that, or nothing. */
export async function pretendServer(port: number, says = ''): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
    if (says !== '') socket.write(says);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
}

/** The last number of a feed that an upper server has taken; 0 if none. */
export function lastOf({ accepted }: FakeUpper, { first, last }: Feed): number {
  for (let i = accepted.length - 1; i >= 0; i--) {
    const number = numberOf(accepted[i]!);
    if (number >= first && number <= last) return number;
  }
  return 0;
}

/**
 * Checks what came of a feed, at one upper server by all its connections: in order, nothing twice
 * but byte for byte, nothing missing but in the gaps.
 *
 * @param sends the arguments of all SENDs, in order
 * @returns how many events came
 */
export function checkArrivals(t: Test, sends: readonly string[], feed: Feed, name: string): number {
  const known = new Map<number, string>();
  let latest = feed.first - 1;
  const wrong: string[] = [];
  for (const send of sends) {
    const number = numberOf(send);
    if (number < feed.first || number > feed.last) continue;
    const before = known.get(number);
    known.set(number, send);
    if (before !== undefined) {
      if (before !== send) wrong.push(`${number} came again as another`);
      continue;
    }
    if (number <= latest) wrong.push(`${number} came first after ${latest}`);
    latest = Math.max(latest, number);
  }
  for (let n = feed.first; n <= feed.last; n++) {
    const excused = feed.gaps.some(({ after, upto }) => n > after && n <= upto);
    if (!known.has(n) && !excused) wrong.push(`${n} is missing`);
  }
  t.strictSame(wrong.slice(0, 10), [], `${name}: in order, nothing missing, nothing wrong`);
  return known.size;
}

/** Waits until an upper server has the last event of a feed, and all is settled. */
export async function untilSettled(
  relay: RunningRelay,
  arrived: () => boolean,
  uppers: readonly string[],
): Promise<void> {
  await relay.until(() => arrived(), 'the last event arrives');
  for (const name of uppers) {
    await relay.until(() => pendingOf(relay, name) === 0, `all of ${name} is settled`);
  }
}

/** Of an upper whose channel has its name, or of all who share the only channel. */
function pendingOf(relay: RunningRelay, name: string): number {
  const channels = relay.gate()?.channels ?? [];
  const own = channels.find(({ channel }) => channel === name) ?? channels[0];
  const status = relay.upper(name);
  if (!own || !status) return NaN;
  return own.emitted - status.answered - status.refused - status.expired;
}

/**
 * Checks the sums of a relay at rest that permits everything.
 *
 * @param arrived by lower, how many of its events came up
 */
export async function checkSums(
  t: Test,
  relay: RunningRelay,
  arrived: Readonly<Record<string, number>>,
  uppers: readonly string[],
): Promise<void> {
  await relay.until(
    () => Object.entries(arrived).every(([name, n]) => relay.gate()!.sources[name]!.permitted >= n),
    'the status says so',
  );
  await relay.until(() => uppers.every((name) => pendingOf(relay, name) === 0), 'all is settled');
  const { sources, channels } = relay.gate()!;
  for (const [name, count] of Object.entries(arrived)) {
    const one = sources[name]!;
    const whole = one.permitted + one.denied + sum(one.malformed) + sum(one.lost);
    t.equal(one.in, whole, `${name}: in = permitted + denied + malformed + lost`);
    t.equal(one.permitted, count, `${name}: what was permitted came up`);
    // A line that a connection broke in the middle of.
    const { interrupted = 0, ...others } = one.lost;
    t.strictSame([one.denied, one.malformed, others], [0, {}, {}], `${name}: ${interrupted} torn`);
  }
  for (const { channel, permitted, emitted, absorbed, open, withheld } of channels) {
    t.equal(permitted, emitted + sum(absorbed) + open + sum(withheld), `${channel}: permitted`);
  }
  for (const name of uppers) t.equal(pendingOf(relay, name), 0, `${name}: journalled = settled`);
}

/** Times until an event flowed again, ms. */
export class Times {
  readonly #taken = new Map<string, number[]>();

  add(name: string, took: number): void {
    this.#taken.set(name, [...(this.#taken.get(name) ?? []), took]);
  }

  comment(t: Test, title: string): void {
    t.comment(`${title}: ms from the return to the first event above`);
    for (const [name, each] of [
      ...this.#taken,
      ['all', [...this.#taken.values()].flat()] as const,
    ]) {
      const sorted = [...each].sort((a, b) => a - b);
      const at = (part: number): string =>
        Math.round(sorted[Math.floor(part * (sorted.length - 1))]!)
          .toString()
          .padStart(5);
      const count = String(sorted.length).padStart(3);
      t.comment(`  ${name.padEnd(22)} ${count} times: median ${at(0.5)}, most ${at(1)}`);
    }
  }
}
