/** Ways in which a lower server can misbehave. */
import type { Socket } from 'node:net';
import type { Outlet } from './outlet.js';

export type Trouble =
  /** Accepts and never sends a byte. */
  | 'silent'
  /** Waits for a byte and answers with an HTTP error page. */
  | 'http'
  /** Bytes of all kinds, hardly ever a newline, as long as the connection lives. */
  | 'garbage'
  /** One line that never ends. */
  | 'endless'
  /** Refuses the right user and password as if they were wrong. */
  | 'refuse-login'
  /** Answers RCVLOOP with `-OK`. */
  | 'refuse-loop'
  /** Takes PASS and says nothing more until the next command. */
  | 'no-answer-to-pass'
  /** Says every `-OK` line twice (facts.md section 3, SEND pitfalls of vscpd 15). */
  | 'two-lines'
  /** Closes each connection once it has written so many bytes to it. */
  | { closeAfter: number };

const PAGE =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 52\r\n' +
  'Connection: close\r\n\r\n<html><body><h1>400 Bad Request</h1></body></html>\r\n';

/** At most 1.6 MB/s, and nothing at all to a client that does not read. */
const FLOOD = { bytes: 16 * 1024, everyMs: 10 };

/** The same bytes in every run (xorshift32), newlines left out. */
function* garbage(): Generator<Buffer, never> {
  let seed = 0x2545f491;
  for (let turn = 1; ; turn++) {
    const bytes = Buffer.alloc(512);
    for (let i = 0; i < bytes.length; i++) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      bytes[i] = (seed & 0xff) === 0x0a ? 0xff : seed & 0xff;
    }
    bytes.set([0x00, 0x1b, 0xff], 0);
    if (turn % 8 === 0) bytes.set([0x0a], bytes.length - 1);
    yield bytes;
  }
}

function* endless(): Generator<Buffer, never> {
  for (;;) yield Buffer.alloc(FLOOD.bytes, 'x');
}

function flood(socket: Socket, outlet: Outlet, source: Generator<Buffer, never>): void {
  const pour = () => {
    if (outlet.waiting === 0) outlet.write(source.next().value);
  };
  const timer = setInterval(pour, FLOOD.everyMs).unref();
  socket.once('close', () => clearInterval(timer));
  pour();
}

/** Takes a connection over if the trouble is that no VSCP server is there at all. */
export function pretend(trouble: Trouble | undefined, socket: Socket, outlet: Outlet): boolean {
  switch (trouble) {
    case 'silent':
      return true;
    case 'http':
      socket.once('data', () => {
        outlet.write(Buffer.from(PAGE));
        outlet.end();
      });
      return true;
    case 'garbage':
      flood(socket, outlet, garbage());
      return true;
    case 'endless':
      flood(socket, outlet, endless());
      return true;
    default:
      return false;
  }
}
