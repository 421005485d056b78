/**
 * lower: dials one lower server, logs in, hands the connection over.
 *
 * HOLDS       that server's address and credentials
 * READS       the answers to its login; orders of the supervisor
 * WRITES      the login script, a constant byte string computed before it connects; its log
 * NEVER       sees an event, a journal, an upper's file; writes after the script's last byte
 * ON FAILURE  tries again on its own clock: within 250 ms, then up to 1 s apart; 30 s after 60 refusals
 */
import { Lookup } from '../dialing/lookup.js';
import { serveConnections } from '../dialing/serve.js';
import { buildLogin } from '../link/login.js';
import { openLog } from '../wire/log.js';
import { FD } from '../wire/fd.js';
import { takeSecret, takeSettings } from '../wire/settings.js';
import { logIn } from './session.js';

const settings = takeSettings('lower');
const script = buildLogin({ ...settings, password: takeSecret(FD.password) });
const lookup = new Lookup();

await serveConnections(
  () => logIn({ ...settings, lookup }, script),
  openLog('lower', settings.name),
);
