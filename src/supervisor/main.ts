/**
 * supervisor: starts the relay's processes and restarts what dies.
 *
 * HOLDS       the process table; both ends of every pipe, for life; secrets until they are passed on
 * READS       the configuration, the policies, again at SIGHUP; the fixed messages of lower and dial (a handle); log lines
 * WRITES      the log of the whole; the status of the whole
 * NEVER       reads a byte of a handed-over socket; opens a connection; parses an event
 * ON FAILURE  a broken configuration: it does not start; its own death: the kernel kills them all
 */
import { parseArgs } from 'node:util';
import { checkFiles } from '../config/check.js';
import { loadConfig } from '../config/config.js';
import { openLog } from '../wire/log.js';
import { Logs } from './logs.js';
import { Relay } from './relay.js';

const { values } = parseArgs({
  options: { config: { type: 'string', short: 'c' } },
  allowPositionals: true,
});
const logs = new Logs();
process.on('exit', () => logs.flush());
const log = openLog('supervisor', undefined, (line) => logs.take(line));
// What is below the state directory holds events: for this user alone, in every process.
process.umask(0o077);

/** Before there is a relay, its policies are about to be read anyway. */
let running: Relay | undefined;
process.on('SIGHUP', () => running?.reload());

try {
  const config = loadConfig(values.config ?? 'tidegate.yaml');
  const relay = new Relay(config, checkFiles(config, Date.now(), false), log, logs);
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ event: 'stopping', signal }, 'stopping');
    await relay.stop();
    logs.flush();
    log.info({ event: 'stopped' }, 'stopped');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
  running = relay;
  relay.start();
  log.info({ event: 'started', config: config.file }, 'relay started');
} catch (error) {
  log.fatal({ event: 'refused' }, (error as Error).message);
  process.exit(1);
}
