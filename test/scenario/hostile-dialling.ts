/**
 * Hostile code in place of lower and dial, which have the network: what they send to lower servers.
 * The name of the link says what it does; other names are honest.
 */
import { createSocket } from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Notes {
  readonly places: readonly { readonly host: string; readonly port: number }[];
}

const own = dirname(fileURLToPath(import.meta.url));
const role = basename(own);
const name = (process.argv[3] ?? '').replace(/-?[46]$/, '');
const notes = JSON.parse(fs.readFileSync(join(own, '..', 'notes.json'), 'utf8')) as Notes;
/** From its beginning: the next process is given the same open file. */
const bytes = Buffer.alloc(fs.fstatSync(3).size);
fs.readSync(3, bytes, 0, bytes.length, 0);
const settings = JSON.parse(bytes.toString()) as Record<string, { host: string; port: number }>;
const { host, port } = settings[role]!;
const SEND = 'SEND 0,10,6,0,,1,-,1\r\n';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Says `first`, then `next` over and over: at each answer, and when there is none. */
function insist(first: string, next: string, everyMs = 20): void {
  const socket = net.connect({ host, port, noDelay: true });
  socket.on('error', () => undefined);
  socket.once('data', () => {
    socket.write(first);
    setInterval(() => socket.write(next), everyMs);
  });
}

/** The real login, one line at an answer, then what must not follow. */
function logInAndSend(): void {
  const lines = ['USER admin\r\n', 'PASS secret\r\n', 'RCVLOOP\r\n'];
  const socket = net.connect({ host, port, noDelay: true });
  socket.on('error', () => undefined);
  socket.on('data', () => socket.write(lines.shift() ?? SEND));
}

async function connectOften(): Promise<void> {
  for (;;) {
    const socket = net.connect({ host, port });
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.destroy());
    setTimeout(() => socket.destroy(), 50);
    await pause(5);
  }
}

/** To every place that is not this process's own. */
async function stray(): Promise<void> {
  for (;;) {
    for (const place of notes.places) {
      if (role === 'lower' && place.host === host && place.port === port) continue;
      const socket = net.connect(place);
      socket.on('error', () => undefined);
      socket.on('connect', () => socket.end(SEND));
      setTimeout(() => socket.destroy(), 200);
      const datagram = createSocket(place.host.includes(':') ? 'udp6' : 'udp4');
      datagram.on('error', () => undefined);
      datagram.send(SEND, place.port, place.host, () => undefined);
    }
    await pause(100);
  }
}

const ATTACKS: Readonly<Record<string, () => unknown>> = {
  insist: () => insist('USER admin\r\n', 'USER admin\r\n'),
  long: () => insist(`USER ${'A'.repeat(10_000)}`, 'A'.repeat(10_000)),
  twice: () => insist('USER admin\r\nUSER admin\r\n', 'USER admin\r\nPASS secret\r\n'),
  bytes: () => insist('U', 'S'),
  send: logInAndSend,
  often: connectOften,
  away: stray,
  stray,
};

process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
const attack = ATTACKS[name];
if (attack) await attack();
else await import(pathToFileURL(join(own, 'honest.js')).href);
