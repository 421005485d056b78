/**
 * The measurement's lower server: `covert-lower.js paced|saturating|redialling`.
 *
 * paced: an event a millisecond. saturating: as fast as it is read. redialling: paced, and every
 * connection is reset HOLD ms after its login, so that each login can be timed.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';

const mode = process.argv[2];
/** A valve has started by then, even on a busy core. */
const HOLD = 300;
/** What a connection begins with, so that its window shows when it is first read. */
const BURST = 32;
/** 60 data bytes: some 400 bytes a line, so that back-pressure from above fills buffers soon. */
const DATA = ',0x8A'.repeat(60);
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
let sent = 0;

function permitted(): string {
  return `96,1040,6,3,,${sent++},${GUID}${DATA}\r\n`;
}

function pace(socket: Socket): void {
  const begun = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    let lines = '';
    for (; due < performance.now() - begun; due++) lines += permitted();
    if (lines !== '' && socket.writableLength < 2 ** 20) socket.write(lines);
  }, 1);
  socket.on('close', () => clearInterval(timer));
}

/** One event in a hundred is permitted: the journal's disk is not what is saturated. */
function saturate(socket: Socket): void {
  const block = Buffer.from(`${permitted()}${`96,20,3,0,,1,${GUID},1,2,3\r\n`.repeat(99)}`);
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', more);
  more();
}

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.write('bench\r\n+OK\r\n');
  socket.on('data', (chunk) => {
    socket.write('+OK\r\n');
    if (!chunk.includes('RCVLOOP')) return;
    if (mode === 'saturating') {
      setInterval(() => socket.write('+OK\r\n'), 1000);
      saturate(socket);
      return;
    }
    pace(socket);
    if (mode !== 'redialling') return;
    socket.write(Array.from({ length: BURST }, permitted).join(''));
    setTimeout(() => socket.resetAndDestroy(), HOLD);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
process.on('disconnect', () => process.exit());
