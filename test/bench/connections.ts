/**
 * A lower and an upper server that break each connection when it has been of use, for the time that a
 * new one takes: `connections.js DIRECTORY ROUNDS`.
 *
 * Lower: from the answer to RCVLOOP, with the first event behind it, until that event is above. Upper:
 * from the accepted connection until USER is there, through TLS. Prints `lower MS MS` and `upper MS
 * MS`: median and worst.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { serverOptions } from './tls.js';
import { line } from './lines.js';

const directory = process.argv[2]!;
const rounds = Number(process.argv[3]);
const below: number[] = [];
const above: number[] = [];
let upperSocket: TLSSocket | undefined;
let sent = 0n;
let number = 0;
let lowerSocket: Socket | undefined;
const accepted = new Map<number, bigint>();

function print(word: string, times: number[]): void {
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)]!;
  process.stdout.write(`${word} ${median.toFixed(0)} ${times.at(-1)!.toFixed(0)}\n`);
}

const since = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;

/** Below first, while the connection above stays; then above. */
function arrived(): void {
  if (below.length < rounds) {
    below.push(since(sent));
    if (below.length < rounds) lowerSocket?.destroy();
    else {
      print('lower', below);
      upperSocket?.destroy();
    }
  }
}

const lower = createServer((socket) => {
  lowerSocket = socket;
  socket.setNoDelay(true);
  socket.write('bench\r\n+OK\r\n');
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    if (!chunk.includes('RCVLOOP')) {
      socket.write('+OK\r\n');
      return;
    }
    const send = (): void => {
      if (!upperSocket) {
        setTimeout(send, 5);
        return;
      }
      sent = process.hrtime.bigint();
      socket.write(`+OK\r\n${line(number++, sent)}\r\n`);
      if (number === 1) process.stdout.write('ready\n');
    };
    send();
    const alive = setInterval(() => socket.write('+OK\r\n'), 2000);
    socket.on('close', () => clearInterval(alive));
  });
});

const upper = createTlsServer(serverOptions(directory), (socket) => {
  socket.setNoDelay(true);
  socket.write('bench\r\n+OK\r\n');
  socket.on('error', () => socket.destroy());
  socket.on('close', () => (upperSocket = undefined));
  socket.on('data', (chunk: Buffer) => {
    for (const text of chunk.toString('latin1').split('\r\n')) {
      if (text !== '') socket.write('+OK\r\n');
      if (text.startsWith('SEND')) arrived();
      if (text.startsWith('PASS')) upperSocket = socket;
      if (!text.startsWith('USER') || below.length < rounds) continue;
      above.push(since(accepted.get(socket.remotePort!)!));
      if (above.length < rounds) socket.destroy();
      else if (above.length === rounds) print('upper', above);
    }
  });
});
upper.on('connection', (socket: Socket) => {
  accepted.set(socket.remotePort!, process.hrtime.bigint());
});
upper.on('tlsClientError', () => undefined);
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
lower.listen(0, '127.0.0.1', () => {
  upper.listen(0, '127.0.0.1', () => {
    process.stdout.write(`port ${portOf(lower)} ${portOf(upper)}\n`);
  });
});
