/**
 * gate: decides every event against the policies and journals what they permit.
 *
 * HOLDS       the policies and their keys, what windows and limits remember, the counters of record, the
 *             private key of the audit log
 * READS       the valves' pipes; other policies, when the supervisor hands some on
 * WRITES      the journals, the audit log, its status, its log
 * NEVER       has a network, a credential of any server, or any input from above
 * ON FAILURE  nothing goes out: what cannot be logged or journalled is counted as lost, with the reason
 */
import { lanesIn, listSegments } from '../journal/places.js';
import { steadyTime } from '../journal/writer.js';
import { formatVerifier } from '../note/note.js';
import { OUTCOMES } from '../policy/outcome.js';
import { readSigners } from '../signing/signers.js';
import { readDescriptor } from '../wire/descriptor.js';
import { EXIT } from '../wire/exit.js';
import { FrameReader } from '../wire/frame.js';
import { openLog } from '../wire/log.js';
import { FD } from '../wire/fd.js';
import { takeSettings, takeText } from '../wire/settings.js';
import type { GateStatus } from '../wire/status.js';
import { Beacons } from './beacons.js';
import { Chronicle } from './chronicle.js';
import { COUNTERS } from './counters.js';
import { Floors } from './floors.js';
import { Intake } from './intake.js';
import { Ledger } from './ledger.js';
import { Outflow } from './outflow.js';
import { Policies } from './policies.js';
import { Report } from './report.js';
import { Trail } from './trail.js';

/** After a small read, wait this many ms: a wakeup per event costs more than the event. */
const REST = 1;
const SMALL_READ = 16 * 1024;
/** A saturated pipe's reads are gathered for this many ms: one fdatasync for several. */
const GATHER = 5;
const STATUS_EVERY = 250;
/** Of a mark, ten a second, before the gate is begun anew. */
const MOST_TRIES = 50;
const EXPIRE_EVERY = 60_000;
/** A clock that gains or loses more than this, ms, between two looks was set. */
const STEP = 1000;
/** A hostile valve's torn frames are said no more often than this, ms: other lines would be dropped. */
const TORN_EVERY = 1000;

// Journals are read by the uppers of their channel: whoever may enter the directory.
process.umask(0o022);
const settings = takeSettings('gate');
const log = openLog('gate');
const scope = {
  sources: settings.sources,
  channels: settings.channels.map(({ name }) => name),
};
const trail = new Trail(settings.audit, takeText(FD.key), log);
const floors = new Floors(settings.directory, log);
const policies = new Policies(FD.policies, scope, log, {
  signers: settings.signers,
  last: floors.raise(trail.past?.revisions),
  unknown: unknownFloors(),
});
// Before there are journals: where there are some, the file was there.
if (policies.revisions) floors.keep(policies.revisions);
const ledger = new Ledger(settings, policies.first.ruleNames, trail.past, {
  stalled(error, tries) {
    if (tries === 0) log.error({ event: 'stalled', err: error }, 'a commit mark is tried again');
    if (tries < MOST_TRIES) return;
    // The next gate gives the batch its marks: one of them stands.
    log.fatal({ event: 'failure', err: error }, 'a commit mark cannot be written');
    process.exit(EXIT.failure);
  },
  undeleted(error, path) {
    const { code = error.message } = error as NodeJS.ErrnoException;
    const why = 'what is beyond its retention cannot be deleted';
    log.error({ event: 'undeleted', path, reason: code }, why);
  },
});
const outflow = new Outflow(ledger.lanes, ledger.outcomes);
const intake = new Intake(policies.first, outflow, ledger.counters, commit);
policies.resumeClock(ledger.lastTime, Date.now());
const { cut, adopted, missing, unshown } = ledger.mended;
if (cut > 0) log.warn({ event: 'journal-cut', bytes: cut }, 'cut an unmarked tail');
if (adopted > 0) log.warn({ event: 'journal-adopted', records: adopted }, 'marked a durable batch');
if (unshown > 0) log.warn({ event: 'journal-unshown', records: unshown }, 'withdrew a cut batch');
if (missing > 0) log.error({ event: 'journal-missing', records: missing }, 'records are not there');

const numbers = (vectors: readonly Float64Array[]): number[][] => vectors.map((each) => [...each]);
// Whoever is revoked counts for nothing, and for an auditor neither.
const signers = settings.signers && readSigners(settings.signers);
const audit = trail.begin({
  ...scope,
  ...(signers && {
    signers: { keys: signers.valid.map(formatVerifier), threshold: signers.threshold },
  }),
  journals: ledger.names,
  counters: COUNTERS,
  outcomes: OUTCOMES,
  counts: numbers(ledger.counters),
  sums: numbers(ledger.outcomes),
  sequences: ledger.sequences(),
});
// Leaves would have the time of the newest one until the clock has caught up with it.
const behind = Date.now() - (trail.past?.time ?? 0);
if (behind < -STEP) audit.clockSet(behind);
ledger.audit = audit;
for (const gone of trail.gone(ledger.names, ledger.sequences())) audit.note(gone);
const chronicle = new Chronicle(audit, ledger, intake.denials, performance.now(), Date.now());
const beacons = new Beacons(
  {
    ...{ relay: trail.relay, boot: trail.boot, counters: ledger.counters, lanes: ledger.lanes },
    every: settings.channels.map(({ beacon }) => beacon),
    outflow,
    sign: (message) => trail.sign(message),
  },
  performance.now(),
);
const report = new Report(settings.directory, settings.sources, ledger, intake, log, (reason) => {
  chronicle.state(reason);
});
let timer: NodeJS.Timeout | undefined;
let ahead = Date.now() - steadyTime();

/** Why it is not known which revisions were in force; undefined: it is, or there were none. */
function unknownFloors(): string | undefined {
  const logged = trail.past === undefined || trail.past.policies !== undefined;
  if (floors.found || logged) return undefined;
  const lanes = settings.channels.flatMap(({ name, directory }) => lanesIn(directory, name));
  if (lanes.every(({ directory }) => listSegments(directory).length === 0)) return undefined;
  return (
    'it is not known which revisions were in force: the audit log begins anew, and ' +
    `${floors.path} is missing or damaged; put one of them back, or write {} into that file to ` +
    'begin anew, and restart'
  );
}

/** One line in the log per step of the machine's clock; in the audit log, before what comes after it. */
function watchClock(now: number): void {
  const by = Math.round(now - steadyTime() - ahead);
  ahead += by;
  if (Math.abs(by) < STEP) return;
  log.warn({ event: 'clock-set', by }, 'the clock was set');
  audit.clockSet(by);
}

/** The audit log, for the status. */
const described = (): GateStatus['audit'] => {
  return { relay: trail.relay, leaves: audit.size, signed: audit.signed };
};

/** Sets the time for the events to come, and sends what windows have gathered until then. */
function advance(): void {
  const now = Date.now();
  const expired = now >= intake.engine.compiled.expires ? 'a policy has expired' : undefined;
  intake.closed = policies.closed ?? expired;
  while (!intake.advance(now)) commit();
}

function commit(last = false): void {
  clearTimeout(timer);
  timer = undefined;
  const now = Date.now();
  watchClock(now);
  const outcome = ledger.commit(now, last);
  intake.shedding = outcome === 'waiting';
  if (outcome === 'stands') intake.committed();
  else {
    if (outcome === 'abandoned') intake.abandoned(ledger.blame);
    ledger.reserve(now, (work) => intake.without(work), last);
  }
  report.note(intake.closed ?? ledger.failure);
}

function open(source: number): Promise<void> {
  return new Promise((resolve) => {
    const frames = new FrameReader();
    let skipped = 0;
    let strange = false;
    const noteTorn = (): void => {
      const bytes = frames.skipped - skipped;
      if (bytes === 0) return;
      const from = settings.sources[source];
      log.warn({ event: 'torn', source: from, bytes }, 'bytes of no frame are passed over');
      skipped = frames.skipped;
    };
    const pipe = readDescriptor(FD.pipe + source, 64 * 1024, {
      data(chunk) {
        advance();
        frames.push(chunk, (frame) => {
          intake.take(frame, source);
        });
        if (frames.unknown > 0 && !strange) {
          strange = true;
          const from = settings.sources[source];
          log.error({ event: 'unknown-frame', source: from }, 'unknown frames are passed over');
        }
        const small = chunk.length < SMALL_READ;
        if (small) commit();
        else timer ??= setTimeout(commit, GATHER);
        if (!small) return;
        pipe.pause();
        setTimeout(pipe.resume, REST);
      },
      ended: () => {
        noteTorn();
        resolve();
      },
    });
    setInterval(noteTorn, TORN_EVERY);
  });
}

setInterval(() => {
  watchClock(Date.now());
  advance();
  const forwarding = intake.closed === undefined && !intake.shedding;
  if (forwarding) beacons.send(performance.now(), Date.now(), audit.checkpoint);
  commit();
  const { activation, status } = policies;
  // Rules have other numbers then: not while a batch by those before waits, nor what they denied.
  if (!ledger.waiting && !audit.crowded) {
    policies.takeChanged(Date.now(), (engine) => {
      advance();
      commit();
      ledger.setRules(engine.ruleNames);
      chronicle.sumUp(performance.now(), Date.now());
      intake.replace(engine);
    });
  }
  if (policies.activation !== activation) chronicle.activate(policies.activation);
  if (policies.revisions) floors.keep(policies.revisions);
  const { refused } = policies.status;
  if (refused && refused !== status.refused) chronicle.refuse(refused);
  chronicle.tick(performance.now(), Date.now());
  ledger.log(Date.now());
  ledger.tend(performance.now());
  report.update(policies.status, described());
}, STATUS_EVERY);
setInterval(() => {
  try {
    ledger.expire(steadyTime());
  } catch (error) {
    log.error({ event: 'expire', err: error }, 'cannot delete what is beyond its retention');
  }
}, EXPIRE_EVERY);
if (policies.closed === undefined) chronicle.activate(policies.activation);
if (policies.status.refused) chronicle.refuse(policies.status.refused);
intake.closed = policies.closed;
report.note(policies.closed);
report.update(policies.status, described());
log.info(
  {
    event: 'started',
    rules: policies.first.compiled.rules.length,
    ...policies.described,
  },
  'deciding',
);

await Promise.all(settings.sources.map((_, source) => open(source)));
commit(true);
chronicle.stop(performance.now(), Date.now());
audit.close(Date.now());
ledger.close();
report.update(policies.status, described());
process.exit(EXIT.done);
