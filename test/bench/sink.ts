/**
 * An upper server over TLS 1.3 that answers every SEND: `sink.js DIRECTORY COUNT LATENCY`.
 *
 * LATENCY 1: each event's timestamp is the monotonic clock when it was made. Prints its port, then,
 * when COUNT events are there, `last NS` and in latency mode `p50 MS p99 MS`.
 */
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { serverOptions } from './tls.js';

const directory = process.argv[2]!;
const count = Number(process.argv[3]);
const latency = process.argv[4] === '1';
const MANY = Buffer.from('+OK\r\n'.repeat(4096));
const latencies: number[] = [];
let got = 0;

function finish(): void {
  process.stdout.write(`last ${process.hrtime.bigint()}\n`);
  if (!latency) return;
  latencies.sort((a, b) => a - b);
  const at = (share: number): string => latencies[Math.floor(latencies.length * share)]!.toFixed(2);
  process.stdout.write(`p50 ${at(0.5)} p99 ${at(0.99)}\n`);
}

const server = createServer(serverOptions(directory), (socket) => {
  let login = 2;
  let rest = '';
  socket.setNoDelay(true);
  socket.write('bench\r\n+OK\r\n');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    let lines = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    for (let left = lines; left > 0; left -= 4096) {
      socket.write(MANY.subarray(0, 5 * Math.min(left, 4096)));
    }
    if (latency) {
      const now = process.hrtime.bigint();
      const texts = (rest + chunk.toString('latin1')).split('\r\n');
      rest = texts.pop()!;
      for (const text of texts) {
        if (text.startsWith('SEND ')) {
          latencies.push(Number(now - BigInt(text.split(',', 6)[5]!)) / 1e6);
        }
      }
    }
    const before = got;
    got += lines - Math.min(lines, login);
    login -= Math.min(lines, login);
    if (before < count && got >= count) finish();
  });
});
server.on('tlsClientError', () => undefined);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
});
