/**
 * dial: makes the connection to one upper server and hands it over untouched.
 *
 * HOLDS       the upstream's address; DNS
 * READS       orders of the supervisor
 * WRITES      its log
 * NEVER       holds a key, a file, an event; reads or writes the connection that it makes
 * ON FAILURE  tries again on its own clock: within 250 ms, then up to 1 s apart
 */
import { connect } from 'node:net';
import { Lookup } from '../dialing/lookup.js';
import { PATIENCE } from '../dialing/schedule.js';
import {
  describeDelay,
  describeFailure,
  type Outcome,
  serveConnections,
} from '../dialing/serve.js';
import { openLog } from '../wire/log.js';
import { takeSettings } from '../wire/settings.js';

const { name, host, port } = takeSettings('dial');
const lookup = new Lookup();

function dial(): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true, lookup: lookup.find });
    // A socket that is not paused begins to read as soon as it is connected.
    socket.pause();
    const fail = (text: string): void => {
      socket.destroy();
      resolve({ kind: 'failed', text });
    };
    const timer = setTimeout(() => fail(describeDelay(lookup, host)), PATIENCE);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      fail(describeFailure(error, host, port));
    });
    socket.on('connect', () => {
      clearTimeout(timer);
      resolve({ kind: 'ready', socket, script: 0, warnings: [] });
    });
  });
}

await serveConnections(dial, openLog('dial', name));
