/** Relays one after the other on one directory, each with its own part of the log, and keys for it. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { makeKey } from '../../src/note/key.js';
import { formatVerifier, signerOf } from '../../src/note/note.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, type RunningRelay, startRelay } from './relay.js';

type Begin = (audit?: string) => Promise<RunningRelay>;

/** Starts relays one after the other on one directory, and sends ten events through each. */
export async function prepare(t: Test) {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const directory = t.testdir({});
  let starts = 0;
  const begin: Begin = async (audit) => {
    const relay = await startRelay(t, {
      directory,
      lowers: [{ name: 'plant', port: lower.port }],
      uppers: [{ name: 'portal', port: upper.port, window: 50 }],
      ...(audit === undefined ? {} : { audit }),
    });
    await relay.untilUp();
    await lower.untilLoop(++starts);
    return relay;
  };
  let sent = 0;
  const send = (): void => {
    lower.send(numberedEvents(sent + 1, sent + 10));
    sent += 10;
  };
  const through = async (relay: RunningRelay): Promise<void> => {
    const before = upper.accepted.length;
    send();
    await relay.until(() => upper.accepted.length === before + 10, 'ten events arrive');
  };
  return { directory, upper, begin, send, through, state: join(directory, 'state') };
}

/** A private key, and its public line under a relay's name. */
export const pemOf = (): { pem: string; key: (relay: string) => string } => {
  const key = makeKey();
  return {
    pem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    key: (relay) => formatVerifier(signerOf(relay, key)),
  };
};
