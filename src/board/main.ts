/**
 * board: takes a relay's events over TLS and shows them to the public, which can do nothing else.
 *
 * HOLDS       two listeners that have nothing in common: one for relays, one for the public
 * READS       its configuration and what it names; SENDs of relays; GET, HEAD and OPTIONS of the public
 * WRITES      its history; to a relay `+OK` and `-OK` alone
 * NEVER       dials anybody; lets anything of the public reach a relay
 * ON FAILURE  exits 1 and says why; a history that takes nothing is said, and the page goes on
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type BoardConfig,
  loadBoard,
  readLinkTls,
  readNames,
  readPassword,
  readPublicTls,
} from '../config/board.js';
import type { BeaconPart } from '../beacon/beacon.js';
import { hasSigned } from '../note/note.js';
import { DocumentError } from '../document/document.js';
import { type Names, NO_NAMES, parseNames } from '../sensor/names.js';
import { openLog } from '../wire/log.js';
import { Clock } from './clock.js';
import { Core } from './core.js';
import { KeptHistory } from './kept.js';
import { History } from './history/history.js';
import { PublicServer } from './http/server.js';
import { LinkServer } from './link/server.js';
import { loadPages } from './pages/pages.js';
import { Refusals } from './refusals.js';
import { StateFile } from './state-file.js';
import { Watched } from './watched.js';

const TICK = 1000;
/** ms between two times that how far the clock has come is written down. */
const SAVE_CLOCK = 60_000;
/** Of an address, which is that of everybody: what is allowed in all. */
const BEHIND_PROXY = {
  ...{ connectionsPerAddress: 16_000, streamsPerAddress: 12_000, exportsPerAddress: 32 },
  questionsPerAddress: 64,
  ...{ requestsPerSecond: 1_000_000, requestBurst: 1_000_000 },
};

const log = openLog('board');

async function serve(config: BoardConfig): Promise<void> {
  const takeNames = (): Names => {
    const file = readNames(config);
    return file ? parseNames(file.text, file.path) : NO_NAMES;
  };
  const users = config.link.users.map((user) => ({
    name: user.name,
    password: readPassword(user),
    right: user.may,
    ...(user.certificate && { certificate: user.certificate }),
  }));
  const clockFile = new StateFile(join(config.state, 'clock'));
  const clock = new Clock(Date.now(), performance.now(), clockFile.read());
  let clockSaved = performance.now();
  const auditKeys = new Map(config.link.users.map(({ name, auditKeys }) => [name, auditKeys]));
  const verify = (relay: string, { relay: name, keyId, message, own }: BeaconPart): boolean => {
    const keys = auditKeys.get(relay);
    if (!keys) return true;
    const key = keys.find((each) => each.name === name && each.id === keyId);
    return key !== undefined && hasSigned(key, message, own);
  };
  const core = new Core({ ...config, names: takeNames(), verify }, Date.now());
  const { raw, hours: hour, days: day, events, size } = config.history;
  const history = await History.open(
    { directory: join(config.state, 'history'), keep: { raw, hour, day }, events, size },
    (why) => {
      if (why === undefined) log.info({ event: 'history' }, 'the history takes readings again');
      else log.error({ event: 'history', reason: why }, 'the history takes nothing');
    },
  );
  const recent = history.recent().catch((error: unknown) => {
    log.error({ event: 'history', reason: (error as Error).message }, 'what it knew is not shown');
    return [];
  });
  for (const { sensor, readings } of await recent) core.recall(sensor, readings);

  const alarmFile = new StateFile(join(config.state, 'alarms.json'));
  core.restoreAlarms(alarmFile.read(), clock.steady(performance.now()));
  history.setTime(clock.time);
  clockFile.save(clock.save());
  const refusals = new Refusals(log);
  const link = await LinkServer.start(
    { ...config.link, users, tls: readLinkTls(config) },
    {
      event(body, relay) {
        const kept = core.take(body, relay, Date.now(), clock.steady(performance.now()));
        if (!kept) return;
        history.add(kept);
        link.publish(body);
      },
      refused: (why, address, detail) => refusals.note(why, address, detail),
      relay(name, connected) {
        core.link(name, connected, Date.now());
        log.info({ event: connected ? 'relay' : 'relay-gone', name }, 'a relay');
      },
    },
  );
  const tls = readPublicTls(config);
  const { host, port, proxy } = config.public;
  const pages = await PublicServer.start(
    { host, port, ...(tls && { tls }), ...(proxy && { limits: BEHIND_PROXY }) },
    { view: core, history: new KeptHistory(core, history), pages: loadPages(), link },
  );
  log.info({ event: 'listening', link: link.port, public: pages.port }, 'the board is open');
  const ticking = setInterval(() => {
    const [now, steady] = [Date.now(), performance.now()];
    const by = clock.tick(now, steady);
    if (by !== 0)
      log.warn({ event: 'clock-set', by }, 'the clock was set: nothing is deleted for it');
    history.setTime(clock.time);
    core.tick(now, link.counters.malformed, clock.steady(steady));
    refusals.tick(steady);
    alarmFile.save(core.saveAlarms());
    const due = steady - clockSaved > SAVE_CLOCK;
    if (due) clockSaved = steady;
    clockFile.save(due ? clock.save() : undefined);
  }, TICK);
  const open = config.public.tls;
  const files = [config.link.tls.cert, config.link.tls.key, config.link.tls.ca];
  const certificates = new Watched(
    'certificates',
    [...files, ...(open ? [open.cert, open.key] : [])].map(({ path }) => path),
    () => {
      link.setTls(readLinkTls(config));
      const renewed = readPublicTls(config);
      if (renewed) pages.setTls(renewed);
    },
    log,
  );
  const names = new Watched(
    'names',
    config.names ? [config.names.path] : [],
    () => core.rename(takeNames()),
    log,
  );
  const stop = async (): Promise<void> => {
    clearInterval(ticking);
    certificates.close();
    names.close();
    await Promise.all([link.close(), pages.close()]);
    alarmFile.save(core.saveAlarms());
    clockFile.save(clock.save());
    await history.close();
    log.info({ event: 'stopped' }, 'stopped');
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

const { values } = parseArgs({ options: { config: { type: 'string', short: 'c' } }, strict: true });
try {
  await serve(loadBoard(values.config ?? 'board-server.yaml'));
} catch (error) {
  if (error instanceof DocumentError) log.fatal({ event: 'failure' }, error.message);
  else log.fatal({ event: 'failure' }, (error as Error).message);
  process.exit(1);
}
