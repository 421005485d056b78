/**
 * Servers for network namespaces of their own, each as one process that says what it got as JSON lines:
 * `lower ADDRESS PORT ...` takes every line for right and sends an event each 20 ms once it is asked;
 * `upper ADDRESS PORT DIRECTORY` takes every SEND over TLS.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';

const [kind, address, ...rest] = process.argv.slice(2);
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

function lower(port: number): void {
  let connections = 0;
  createServer({ noDelay: true }, (socket) => {
    const id = ++connections;
    let sent = 0;
    let feed: NodeJS.Timeout | undefined;
    say({ kind: 'connected', port, id });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => clearInterval(feed));
    socket.write('+OK - hello\r\n');
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      say({ kind: 'data', port, id, text });
      socket.write('+OK\r\n'.repeat(text.split('\n').length - 1));
      if (!text.endsWith('RCVLOOP\r\n')) return;
      feed ??= setInterval(() => {
        sent++;
        socket.write(`0,10,6,0,,${(port % 100) * 1_000_000 + id * 10_000 + sent},${GUID},1\r\n`);
      }, 20);
    });
  }).listen(port, address, () => say({ kind: 'listening', port }));
  const datagrams = createSocket(address!.includes(':') ? 'udp6' : 'udp4');
  datagrams.on('message', (text) => say({ kind: 'datagram', port, text: text.toString('latin1') }));
  datagrams.bind(port, address);
}

function upper(port: number, directory: string): void {
  const file = (name: string): string => readFileSync(join(directory, name), 'utf8');
  const options = { ca: file('ca.pem'), cert: file('upper.pem'), key: file('upper.key') };
  const serve = (socket: Socket): void => {
    let tail = '';
    socket.on('error', () => socket.destroy());
    socket.write('+OK - hello\r\n');
    socket.on('data', (chunk: Buffer) => {
      const lines = (tail + chunk.toString('latin1')).split('\r\n');
      tail = lines.pop()!;
      socket.write('+OK\r\n'.repeat(lines.length));
      const sends = lines.filter((line) => line.startsWith('SEND '));
      if (sends.length > 0)
        say({ kind: 'sends', numbers: sends.map((l) => Number(l.split(',')[5])) });
    });
  };
  createTlsServer({ ...options, requestCert: true, minVersion: 'TLSv1.3' }, serve)
    .on('tlsClientError', () => undefined)
    .listen(port, address, () => say({ kind: 'listening', port }));
}

if (kind === 'upper') upper(Number(rest[0]), rest[1]!);
else for (const port of rest) lower(Number(port));
