/**
 * Hostile code in place of lower and dial: what it says to the supervisor and sends to its worker.
 *
 * The name of the link says what it does, over and over: `say-...` breaks the table of messages,
 * `hand-...` hands over what is no connection with its server. Other names are honest; when the notes
 * say `calm`, all are.
 */
import fs from 'node:fs';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FD } from '../../src/wire/fd.js';

interface Notes {
  /** Of the server that the links are configured for, by role, and of one that is not. */
  readonly lower: number;
  readonly dial: number;
  readonly other: number;
  readonly calm: boolean;
}

/** Node's handles below its sockets. */
interface Below {
  open(fd: number): number;
  connect(req: object, address: string, port: number): number;
  writeLatin1String(req: object, text: string, handle: object): number;
}
interface Binding {
  readonly TCP: new (kind: number) => Below;
  readonly Pipe: new (kind: number) => Below;
  readonly UDP: new () => Below & { connect(address: string, port: number): number };
  readonly WriteWrap: new () => object;
  readonly TCPConnectWrap: new () => object;
}

const own = dirname(fileURLToPath(import.meta.url));
const role = basename(own) as 'lower' | 'dial';
const name = process.argv[3] ?? '';
const notes = (): Notes =>
  JSON.parse(fs.readFileSync(join(own, '..', 'notes.json'), 'utf8')) as Notes;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const binding = (part: string): Binding =>
  (process as unknown as { binding(part: string): Binding }).binding(part);
const below = (object: object, symbol: string): Below => {
  const found = Object.getOwnPropertySymbols(object).find(
    ({ description }) => description === symbol,
  );
  return (object as Record<symbol, Below>)[found!]!;
};

/** Writes what there is room for; all of it, if it is to wait for whoever reads. */
function pour(fd: number, text: string, wait: boolean): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      if (!wait) return;
    }
  }
}

const tell = (text: string): void => pour(FD.messages, text, true);
const announce = (number: number): void => tell(`connection ${number} 5\n`);
/** As Node puts it. */
const wrap = (message: object, type = 'net.Native'): string =>
  `${JSON.stringify({ cmd: 'NODE_HANDLE', type, msg: message })}\n`;

/** One write to the way out of connections, with a descriptor. */
function send(text: string, handle: object): void {
  const { WriteWrap } = binding('stream_wrap');
  const req = Object.assign(new WriteWrap(), { oncomplete: () => undefined });
  below(process, 'kChannelHandle').writeLatin1String(req, text, handle);
}

const pipeOf = (fd: number): Below => {
  const handle = new (binding('pipe_wrap').Pipe)(0);
  if (handle.open(fd) !== 0) throw new Error(`descriptor ${fd} cannot be had`);
  return handle;
};

function deadSocket(): Below {
  const handle = new (binding('tcp_wrap').TCP)(0);
  // So that there is a socket at all: this cannot succeed.
  handle.connect(new (binding('tcp_wrap').TCPConnectWrap)(), '127.0.0.1', 1);
  return handle;
}

const rawOf = (socket: net.Socket): object => (socket as unknown as { _handle: object })._handle;

async function connected(port: number): Promise<{ readonly socket: net.Socket; handle: object }> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const done = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    });
    socket.pause();
    if (done) return { socket, handle: rawOf(socket) };
    await pause(100);
  }
}

function datagramSocket(): Below {
  const handle = new (binding('udp_wrap').UDP)();
  // So that there is a socket at all: to bind it is forbidden.
  handle.connect('127.0.0.1', 9);
  return handle;
}

const WRONG = [
  ...['', 'connection', 'connection 1', 'connection 1 5 ', 'Connection 1 5', 'connection 1 5\r'],
  ...['connection 0 5', 'connection -1 5', 'connection 1000000000 5', 'connection 01 5'],
  ...['connection 1 -5', 'connection 1 123456', 'connection 1e3 5', 'connection 1 5\0'],
  ...['dial useful accepted', '{"connection":1}', wrap({ connection: 1 }).trim(), '\xff\xfe'],
];

/** Each ends with this process's death at the supervisor's hands. */
const SAY: Readonly<Record<string, () => unknown>> = {
  'say-endless': () => {
    for (;;) tell('x'.repeat(65_536));
  },
  'say-slow': async () => {
    for (;;) {
      tell('connection 1 5'.charAt(Math.random() * 14));
      await pause(1);
    }
  },
  'say-wrong': () => tell(`${WRONG[Math.floor(Math.random() * WRONG.length)]!}\n`),
  'say-twice': () => tell('connection 1 5\nconnection 2 5\n'),
  'say-flood': () => {
    for (;;) tell('connection 7 5\n'.repeat(1000));
  },
};

let turn = 0;
/** What reads the orders. */
let messages: object | undefined;
const kinds = [
  () => pipeOf(FD.settings),
  () => pipeOf(FD.log),
  () => messages!,
  () => below(process, 'kChannelHandle'),
  datagramSocket,
];

/** What is handed over before connection `number` is announced. */
const HAND: Readonly<Record<string, (number: number) => unknown>> = {
  'hand-nothing': () => undefined,
  'hand-kinds': (number) => {
    send(wrap({ connection: number }), kinds[turn++ % kinds.length]!());
  },
  'hand-dead': (number) => send(wrap({ connection: number }), deadSocket()),
  'hand-other': async (number) => {
    const { socket, handle } = await connected(notes().other);
    send(wrap({ connection: number }), handle);
    setTimeout(() => socket.destroy(), 500);
  },
  // Descriptors behind descriptors, without a message that would take them.
  'hand-many': async () => {
    const handle = deadSocket();
    for (let i = 0; i < 300; i++) {
      send(' ', handle);
      if (i % 50 === 0) await pause(1);
    }
  },
  'hand-text': () => pour(FD.handles, 'x'.repeat(2 ** 20), false),
  'hand-node': (number) => {
    const lines = ['dgram.Native', 'net.Socket', 'net.Server', 'net.Native']
      .map((type) => wrap({ connection: number }, type))
      .concat(['ACK', 'NACK'].map((what) => `${JSON.stringify({ cmd: `NODE_HANDLE_${what}` })}\n`));
    pour(FD.handles, lines.join(''), false);
  },
  'hand-die': async (number) => {
    const { handle } = await connected(notes()[role]);
    send(wrap({ connection: number }), handle);
    announce(number);
    process.kill(process.pid, 'SIGKILL');
  },
};

async function handOver(attack: (number: number) => unknown): Promise<never> {
  let ordered = (): void => undefined;
  const orders = new net.Socket({ fd: FD.messages, readable: true, writable: false });
  messages = rawOf(orders);
  orders.on('data', () => ordered());
  // The answers to what was sent by hand are more than Node.js bears.
  process.removeAllListeners('internalMessage');
  process.channel?.ref();
  for (let number = 1; ; number++) {
    const order = new Promise<void>((resolve) => (ordered = resolve));
    await attack(number);
    announce(number);
    await order;
    if (notes().calm) process.exit(1);
  }
}

process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
const { calm } = notes();
const [said, handed] = [SAY[name], HAND[name]];
if (!calm && said) {
  await said();
  await pause(60_000);
} else if (!calm && handed) await handOver(handed);
else await import(pathToFileURL(join(own, 'honest.js')).href);
