/**
 * upper: sends one channel's journal to one upper server, over a connection it was handed.
 *
 * HOLDS       the connection as descriptor 0, its TLS key and password
 * READS       its channel's journal, read-only; the answers of its upper server, bounded
 * WRITES      that connection; its own files, open from the start (cursor, rejects, status); its log
 * NEVER       has a network: it cannot dial anything, the lower server least of all; opens a file to write
 * ON FAILURE  exits with a code that says why; the supervisor has dial connect again
 */
import { watch } from 'node:fs';
import { Socket } from 'node:net';
import { connect } from 'node:tls';
import { type Lane as LaneName, LANES, laneOf } from '../journal/format.js';
import { JournalReader } from '../journal/reader.js';
import { escapeText } from '../link/answers.js';
import { type Cause, EXIT } from '../wire/exit.js';
import { openLog } from '../wire/log.js';
import { FD } from '../wire/fd.js';
import { Rate } from '../wire/rate.js';
import { takeSecret, takeSettings, takeText } from '../wire/settings.js';
import { type Loss, StatusFile } from '../wire/status.js';
import { Cursor } from './cursor.js';
import { Lane } from './lane.js';
import { Rejects } from './rejects.js';
import { Sender } from './sender.js';
import { UpperSession } from './session.js';
import { describeTlsFailure } from './tls-failure.js';

/** Between two looks at the journal, ms: a wakeup per event costs more than the event. */
const REST = 1;
/** A look at the journal that no notice caused, ms. */
const POLL = 250;
const STATUS_EVERY = 250;
const SYNC_EVERY = 1000;
/** Told to stop, wait this many ms for what is outstanding. */
const LAST_ANSWERS = 1500;
/** Answers to nothing, before the server is taken for hostile. */
const MAX_STRAY = 10_000;

const settings = takeSettings('upper');
const password = takeSecret(FD.password);
const key = takeText(FD.key);
const log = openLog('upper', settings.name);
const cursor = new Cursor(FD.cursor);
const rejects = new Rejects([FD.rejects, FD.rejects + 1]);
const status = new StatusFile(FD.status);
const { stray, discarded } = cursor.counts;
const directories = LANES.map((name) => laneOf(settings.journal, name));
const lane = (name: LaneName): Lane => {
  const progress = cursor.lanes[name];
  return new Lane(name, new JournalReader(laneOf(settings.journal, name), progress), progress);
};
const lanes = { routine: lane('routine'), urgent: lane('urgent') };
const rate = new Rate();
const started = Date.now();
let ending: Cause | undefined;
let unrecorded = false;
let expired = cursor.lanes.routine.expired + cursor.lanes.urgent.expired;
let loss: Loss | undefined;
/** When the server's certificate expires, ms since 1970. */
let peerExpires: number | undefined;

function end(cause: Cause, text?: string): void {
  if (ending !== undefined) return;
  ending = cause;
  if (text !== undefined) log.warn({ event: cause }, text);
  writeStatus('down');
  cursor.save();
  socket.destroy();
  process.exit(EXIT[cause]);
}

const socket = connect({
  socket: new Socket({ fd: FD.socket, readable: true, writable: true }),
  ca: takeText(FD.ca),
  cert: takeText(FD.cert),
  key,
  servername: settings.servername,
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
});

const sender = new Sender(lanes, settings, {
  write: (bytes) => socket.write(bytes),
  save: () => cursor.save(),
  refused: (name, sequence, vscpClass, type, text) => {
    try {
      rejects.add(Date.now(), name, sequence, vscpClass, type, text);
    } catch (error) {
      // Counted all the same: a full disk must not make one refusal stop the rest.
      if (!unrecorded) log.error({ event: 'rejects', err: error }, 'cannot record a refusal');
      unrecorded = true;
    }
  },
  resending: (name, first, last) => {
    log.info({ event: 'resending', lane: name, first, last }, 'resending');
  },
});

const session = new UpperSession(settings.user, password, {
  write: (text) => void socket.write(text),
  ready: () => {
    log.info({ event: 'ready' }, 'logged in, sending');
    wake();
  },
  answer: (ok, text) => sender.take(ok, text),
  end,
});

/** What retention took before it was sent. */
function noteExpired(total: number): { loss?: Loss } {
  if (total > expired) loss = { time: Date.now(), reason: 'expired', count: total - expired };
  expired = total;
  return loss ? { loss } : {};
}

function writeStatus(state: 'connecting' | 'up' | 'down'): void {
  const { routine, urgent } = cursor.lanes;
  const both = (field: 'answered' | 'refused' | 'expired' | 'resent' | 'rewound'): number =>
    routine[field] + urgent[field];
  cursor.counts.stray = stray + sender.stray;
  cursor.counts.discarded = discarded + session.discarded;
  try {
    status.save({
      process: 'upper',
      started,
      time: Date.now(),
      state,
      channel: settings.channel,
      answered: both('answered'),
      refused: both('refused'),
      expired: both('expired'),
      resent: both('resent'),
      rewound: both('rewound'),
      lanes: cursor.lanes,
      rate: rate.note(performance.now(), both('answered')),
      ...noteExpired(both('expired')),
      outstanding: sender.outstanding,
      ...cursor.counts,
      ...(peerExpires === undefined ? {} : { peerExpires }),
    });
  } catch {
    // The status is for people; the supervisor's log says when a disk fails.
  }
}

socket.on('secureConnect', () => {
  peerExpires = Date.parse(socket.getPeerCertificate().valid_to);
  session.begin();
});
socket.on('data', (chunk: Buffer) => {
  session.take(chunk);
  if (!session.ready) return;
  sender.endRead();
  if (sender.stray > MAX_STRAY) end('babble', 'the server answers what was not asked');
});
socket.on('drain', () => sender.resume());
socket.on('error', (error: NodeJS.ErrnoException) => {
  if (session.begun) end('reset', escapeText(`${error.code ?? 'error'}: ${error.message}`));
  else end('tls', describeTlsFailure(error));
});
socket.on('close', () =>
  end('eof', session.begun ? 'the server closed the connection' : 'closed during the handshake'),
);

let scheduled = false;
let looked = 0;
function wake(): void {
  if (scheduled || !session.ready) return;
  scheduled = true;
  setTimeout(look, performance.now() - looked < REST ? REST : 0);
}
function look(): void {
  scheduled = false;
  looked = performance.now();
  sender.pump();
}
try {
  for (const directory of directories) watch(directory, wake).on('error', () => undefined);
} catch (error) {
  log.warn({ event: 'watch', err: error }, `no notices of the journal: a look every ${POLL} ms`);
}
setInterval(wake, POLL);
setInterval(() => cursor.sync(), SYNC_EVERY);
let ticked = performance.now();
setInterval(() => {
  writeStatus(session.ready ? 'up' : 'connecting');
  const now = performance.now();
  session.tick(sender.waiting, now - ticked);
  ticked = now;
}, STATUS_EVERY);

process.on('SIGTERM', () => {
  sender.stop();
  const deadline = setTimeout(() => end('done'), LAST_ANSWERS);
  deadline.unref();
  setInterval(() => {
    if (!sender.waiting) end('done');
  }, 10);
});
