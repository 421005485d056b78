/** The life of a dialling process: connect, hand over, wait for the order to connect again. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkDial, type DialMessage, handOver } from '../wire/handover.js';
import type { Logger } from '../wire/log.js';
import { REFUSED, Schedule } from './schedule.js';

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

/** Why a connection failed, for people. */
export function describeFailure(
  { code, syscall, message }: NodeJS.ErrnoException,
  host: string,
  port: number,
): string {
  const what = syscall === 'connect' || syscall === 'getaddrinfo' ? 'cannot connect to' : 'lost';
  return `${what} ${host}:${port}: ${code ?? message}`;
}

function nextOrder(): Promise<DialMessage> {
  return new Promise((resolve) => process.once('message', (order) => resolve(checkDial(order))));
}

/** Tries until a connection is handed over; one line per change of what goes wrong. */
async function connectOnce(
  attempt: () => Promise<Outcome>,
  schedule: Schedule,
  log: Logger,
): Promise<void> {
  let last = '';
  for (;;) {
    const outcome = await attempt();
    if (outcome.kind === 'ready') {
      for (const warning of outcome.warnings) log.warn({ event: 'warning' }, warning);
      const gone = await new Promise<boolean>((done) => {
        handOver(outcome.socket, outcome.script, done);
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
    await sleep(outcome.kind === 'refused' ? REFUSED : schedule.next());
  }
}

/** Hands over one connection after another, until the supervisor is gone. */
export async function serveConnections(
  attempt: () => Promise<Outcome>,
  log: Logger,
): Promise<never> {
  // Process 1 of its namespace: a signal that is not handled is ignored.
  process.on('SIGTERM', () => process.exit(0));
  process.on('disconnect', () => process.exit(0));
  const schedule = new Schedule();
  for (;;) {
    await connectOnce(attempt, schedule, log);
    const order = await nextOrder();
    if (order.useful) schedule.reset();
    await sleep(order.refused ? REFUSED : schedule.next());
  }
}
