/**
 * A lower server that sends at a pace: `generator.js COUNT RATE single|bulk`.
 *
 * RATE 0: as fast as it is read. single: one event a write, its timestamp the monotonic clock.
 * bulk: blocks of events. Prints its port, then `first NS` when the first event goes out.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { line, makeLines } from './lines.js';

const count = Number(process.argv[2]);
const rate = Number(process.argv[3]);
const single = process.argv[4] === 'single';
const BLOCK = 400; // a multiple of 40: each block has the same share of every type

function bulk(socket: Socket): void {
  const block = Buffer.from(`${makeLines(BLOCK).join('\r\n')}\r\n`);
  const blocks = count / BLOCK;
  let sent = 0;
  const begun = performance.now();
  process.stdout.write(`first ${process.hrtime.bigint()}\n`);
  const more = (): void => {
    const elapsed = performance.now() - begun;
    const due = rate === 0 ? blocks : Math.min(blocks, ((elapsed / 1000) * rate) / BLOCK);
    while (sent < due) {
      sent++;
      if (!socket.write(block)) {
        socket.once('drain', more);
        return;
      }
    }
    if (sent < blocks) setTimeout(more, 1);
  };
  more();
}

function pace(socket: Socket): void {
  const begun = process.hrtime.bigint();
  let sent = 0;
  process.stdout.write(`first ${begun}\n`);
  const more = (): void => {
    const now = process.hrtime.bigint();
    const due = Math.min(count, Math.floor((Number(now - begun) / 1e9) * rate));
    while (sent < due) socket.write(`${line(sent++, process.hrtime.bigint())}\r\n`);
    if (sent < count) setTimeout(more, 1);
  };
  more();
}

const server = createServer((socket) => {
  socket.setNoDelay(true);
  socket.write('bench\r\n+OK\r\n');
  let begun = false;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    const text = chunk.toString();
    socket.write('+OK\r\n');
    if (!text.includes('RCVLOOP') || begun) return;
    begun = true;
    setInterval(() => socket.write('+OK\r\n'), 2000);
    process.once('SIGUSR2', () => (single ? pace(socket) : bulk(socket)));
    process.stdout.write('ready\n');
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
});
