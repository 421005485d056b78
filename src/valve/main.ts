/**
 * valve: reads one logged-in connection and passes whole lines to the gate, one way.
 *
 * HOLDS       the connection as descriptor 0
 * READS       descriptor 0
 * WRITES      frames of whole lines to its pipe
 * NEVER       writes to descriptor 0, opens a socket or a file, knows an address or a credential
 * ON FAILURE  exits with a code that says why; the supervisor has lower dial again
 */
import { readDescriptor, writeDescriptor } from '../wire/descriptor.js';
import { type Cause, EXIT } from '../wire/exit.js';
import { FD } from '../wire/fd.js';
import { Framer } from './framer.js';

/** Neither an event nor a sign of life for so many ticks of so many ms, 10 s, is a dead link. */
const SILENCE = 20;
const TICK = 500;
/** After a small read, wait this many ms: a wakeup per event costs more than the event. */
const REST = 1;
const SMALL_READ = 16 * 1024;
/** At the end, what waits for the pipe may take this many ms to go: a gate is back sooner. */
const LAST_WORDS = 10_000;

const framer = new Framer(Number(process.argv[4]));
let cause: Cause | undefined;
let writing = false;

const pipe = writeDescriptor(FD.pipe, () => process.exit(EXIT.pipe));

function writeNext(): void {
  const frame = framer.take();
  writing = frame !== undefined;
  if (frame) pipe.write(frame, writeNext);
  else if (cause !== undefined) process.exit(EXIT[cause]);
}

function end(why: Cause): void {
  if (cause !== undefined) return;
  cause = why;
  connection.close();
  framer.finish();
  setTimeout(() => {
    process.stderr.write(`${framer.waiting} lines were lost: the gate did not take them\n`);
    process.exit(EXIT[why]);
  }, LAST_WORDS);
  if (!writing) writeNext();
}

const connection = readDescriptor(FD.socket, 64 * 1024, {
  data(chunk) {
    framer.push(chunk);
    if (framer.refused) {
      end('refused');
      return;
    }
    if (!writing) writeNext();
    if (chunk.length < SMALL_READ) {
      connection.pause();
      setTimeout(connection.resume, REST);
    }
  },
  ended: (error) => end(error === undefined ? 'eof' : 'reset'),
});

// Ticks are counted, not a clock compared: a valve that was stopped first reads what has come.
let quiet = 0;
let seen = 0;
setInterval(() => {
  quiet = framer.vital === seen ? quiet + 1 : 0;
  seen = framer.vital;
  if (quiet >= SILENCE) end('silence');
}, TICK);

process.on('SIGTERM', () => end('done'));
