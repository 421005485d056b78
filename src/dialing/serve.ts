/** The life of a dialling process: connect, hand over, wait for the order to connect again. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readLines } from '../wire/descriptor.js';
import { FD } from '../wire/fd.js';
import { type DialMessage, handOver, parseDial } from '../wire/handover.js';
import type { Logger } from '../wire/log.js';
import type { Lookup } from './lookup.js';
import { Schedule } from './schedule.js';

/** What came of one try. */
export type Outcome =
  | {
      readonly kind: 'ready';
      /** Connected, its reading stopped. */
      readonly socket: Socket;
      /** Bytes that were written to it. */
      readonly script: number;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'refused' | 'failed'; readonly text: string };

/** Why a connection failed, for people; of several addresses' failures, the first. */
export function describeFailure(
  error: NodeJS.ErrnoException & { readonly errors?: readonly NodeJS.ErrnoException[] },
  host: string,
  port: number,
): string {
  const { code, syscall, message } = error.errors?.[0] ?? error;
  if (syscall === 'getaddrinfo') return `cannot resolve ${host}: ${code ?? message}`;
  return `${syscall === 'connect' ? 'cannot connect to' : 'lost'} ${host}:${port}: ${code ?? message}`;
}

/** Why there is no connection yet when a try has taken too long. */
export function describeDelay(lookup: Lookup, host: string): string {
  return lookup.pending
    ? `no answer of a name server in time about ${host}`
    : 'no connection in time';
}

/** Calls back with each order of the supervisor; without a supervisor the process ends. */
function takeOrders(take: (order: DialMessage) => void): void {
  readLines(FD.messages, {
    line: (line) => take(parseDial(line)),
    ended: () => process.exit(0),
  });
}

/** Tries until a connection is handed over; one line per change of what goes wrong. */
async function connectOnce(
  attempt: () => Promise<Outcome>,
  number: number,
  schedule: Schedule,
  log: Logger,
): Promise<void> {
  let last = '';
  for (;;) {
    const begun = performance.now();
    const outcome = await attempt();
    if (outcome.kind === 'ready') {
      for (const warning of outcome.warnings) log.warn({ event: 'warning' }, warning);
      const gone = await new Promise<boolean>((done) => {
        handOver(outcome.socket, { number, script: outcome.script }, done);
      });
      if (gone) {
        log.info({ event: 'connected' }, 'connected and handed over');
        return;
      }
      // The connection broke before it could be handed over.
    } else if (outcome.text !== last) {
      log[outcome.kind === 'refused' ? 'error' : 'warn']({ event: outcome.kind }, outcome.text);
      last = outcome.text;
    }
    const refused = outcome.kind === 'refused';
    await sleep(refused ? schedule.nextRefused() : schedule.next(performance.now() - begun));
  }
}

/** Hands over one connection after another, until the supervisor is gone. */
export async function serveConnections(
  attempt: () => Promise<Outcome>,
  log: Logger,
): Promise<never> {
  // Process 1 of its namespace: a signal that is not handled is ignored.
  process.on('SIGTERM', () => process.exit(0));
  let ordered: (order: DialMessage) => void = () => undefined;
  takeOrders((order) => ordered(order));
  const schedule = new Schedule();
  for (let number = 1; ; number++) {
    const next = new Promise<DialMessage>((resolve) => (ordered = resolve));
    await connectOnce(attempt, number, schedule, log);
    const order = await next;
    if (order.useful) schedule.reset();
    await sleep(order.refused ? schedule.nextRefused() : schedule.next());
  }
}
