/**
 * Hostile code that runs in place of a process's own, inside its sandbox: what it tries, it logs.
 *
 * Links named `probe` try everything once and then are what they should be; a valve named `socket`
 * tries what costs it its connection; those named `frames-...` attack the gate. All others are honest.
 * Signals are the number 0: whoever may not send that may not send any.
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import fs from 'node:fs';
import inspector from 'node:inspector';
import net from 'node:net';
import os from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { HEADER, MAX_PAYLOAD, sealFrame, zeroTotals } from '../../src/wire/frame.js';

interface Notes {
  /** Where the configuration and the state stand outside. */
  readonly directory: string;
  /** Ports of lower servers. */
  readonly ports: readonly number[];
  /** Of the supervisor and of others that were there before. */
  readonly pids: readonly number[];
  /** No sandbox is here: only what harms nobody. */
  readonly tame: boolean;
}

type Attempt = readonly [name: string, act: () => unknown];

const own = dirname(fileURLToPath(import.meta.url));
const role = basename(own);
const name = role === 'gate' ? 'probe' : (process.argv[3] ?? '');
const HOSTILE = 'SEND 0,10,6,0,,1,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1\r\n';
const notes = JSON.parse(fs.readFileSync(join(own, '..', 'notes.json'), 'utf8')) as Notes;

const say = (line: object): void => {
  try {
    fs.writeSync(2, `${JSON.stringify(line)}\n`);
  } catch {
    // A full pipe: the test will miss it.
  }
};
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Fails with what an emitter says, or succeeds with the event. */
const heard = (emitter: unknown, ...events: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const source = emitter as NodeJS.EventEmitter;
    source.once('error', reject);
    for (const event of events) source.once(event, () => resolve(event));
  });

/** Node's streams below its sockets; a negative number is an error of the kernel. */
interface Below {
  open(fd: number): number;
  bind(address: string, port?: number): number;
  listen(backlog: number): number;
  connect(req: object, address: string, port: number): number;
  writeUtf8String(req: object, text: string): number;
  writev(req: object, chunks: readonly Buffer[], allBuffers: boolean): number;
  shutdown(req: object): number;
}
type Made = new (kind?: number) => object;
interface Binding {
  readonly TCP: new (kind: number) => Below;
  readonly Pipe: new (kind: number) => Below;
  readonly constants: { readonly SOCKET: number };
  readonly WriteWrap: Made;
  readonly ShutdownWrap: Made;
  readonly TCPConnectWrap: Made;
  /** The fourth says whether the last write goes on. */
  readonly streamBaseState: Int32Array;
}

const binding = (part: string): Binding =>
  (process as unknown as { binding(part: string): Binding }).binding(part);

function kernelError(code: number): Error {
  const found = Object.entries(os.constants.errno).find(([, value]) => value === -code);
  return Object.assign(new Error('raw'), { code: found?.[0] ?? String(code) });
}

function failed(code: number): void {
  if (code < 0) throw kernelError(code);
}

/** Fails as the kernel does. */
function request(kind: 'write' | 'shutdown' | 'connect', make: (req: object) => number) {
  return new Promise<string>((resolve, reject) => {
    const { WriteWrap, ShutdownWrap, streamBaseState } = binding('stream_wrap');
    const { TCPConnectWrap } = binding('tcp_wrap');
    const req = new { write: WriteWrap, shutdown: ShutdownWrap, connect: TCPConnectWrap }[kind]();
    const oncomplete = (code: number): void => {
      if (code < 0) reject(kernelError(code));
      else resolve('complete');
    };
    const code = make(Object.assign(req, { oncomplete }));
    if (code < 0 || (kind === 'write' && streamBaseState[3] === 0)) oncomplete(code);
  });
}

function rawTcp(): Below {
  const { TCP, constants } = binding('tcp_wrap');
  return new TCP(constants.SOCKET);
}

function rawPipe(): Below {
  const { Pipe, constants } = binding('pipe_wrap');
  return new Pipe(constants.SOCKET);
}

/** Descriptor 0 as Node.js has it below a socket. */
function rawZero(): Below {
  const handle = rawTcp();
  failed(handle.open(0));
  return handle;
}

const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const fs = require('node:fs');
  try {
    const fd = workerData.path ? fs.openSync(workerData.path, 'r') : 0;
    if (!workerData.path) fs.writeSync(0, workerData.text);
    parentPort.postMessage('done');
  } catch (error) { parentPort.postMessage(error.code); }`;

async function inWorker(data: object): Promise<void> {
  const worker = new Worker(WORKER, { eval: true, workerData: data });
  const said = await new Promise<string>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  if (said !== 'done') throw Object.assign(new Error('in a worker'), { code: said });
}

/** Writing to the connection itself: for a valve. */
const ON_SOCKET: readonly Attempt[] = [
  ['write', () => fs.writeSync(0, HOSTILE)],
  ['writev', () => fs.writevSync(0, [Buffer.from(HOSTILE), Buffer.from(HOSTILE)])],
  ['pwrite', () => fs.writeSync(0, HOSTILE, 0)],
  ['pwritev', () => fs.writevSync(0, [Buffer.from(HOSTILE), Buffer.from(HOSTILE)], 0)],
  ['append', () => fs.appendFileSync(0, HOSTILE)],
  ['write asynchronously', () => fs.promises.writeFile('/dev/fd/0', HOSTILE)],
  ['truncate', () => fs.ftruncateSync(0, 0)],
  ['chmod of the descriptor', () => fs.fchmodSync(0, 0o777)],
  ['sync', () => fs.fsyncSync(0)],
  ['times of the descriptor', () => fs.futimesSync(0, 1, 1)],
  ['write in a worker', () => inWorker({ text: HOSTILE })],
  ['reopen /proc/self/fd/0', () => fs.openSync('/proc/self/fd/0', 'w')],
  ['reopen /proc/1/fd/0', () => fs.openSync('/proc/1/fd/0', 'r+')],
  ['reopen /dev/stdin', () => fs.openSync('/dev/stdin', 'w')],
  ['give it to a child', () => started(['0'])],
];

/** The same with Node's sockets and handles, which close it when they fail. */
const WITH_SOCKET: readonly Attempt[] = [
  [
    'raw write',
    () => {
      const handle = rawZero();
      return request('write', (req) => handle.writeUtf8String(req, HOSTILE));
    },
  ],
  [
    'raw writev',
    () => {
      const handle = rawZero();
      const chunks = [Buffer.from(HOSTILE), Buffer.from(HOSTILE)];
      return request('write', (req) => handle.writev(req, chunks, true));
    },
  ],
  [
    'raw shutdown',
    () => {
      const handle = rawZero();
      return request('shutdown', (req) => handle.shutdown(req));
    },
  ],
  [
    'raw connect of the descriptor',
    () => {
      const handle = rawZero();
      return request('connect', (req) => handle.connect(req, '127.0.0.1', notes.ports[0]!));
    },
  ],
  [
    'Socket.write',
    () => {
      const socket = new net.Socket({ fd: 0, readable: true, writable: true });
      const failure = heard(socket, 'written');
      socket.write(HOSTILE, (error) => {
        if (!error) socket.emit('written');
      });
      return failure;
    },
  ],
];

/** fails unless a child is started */
async function started(stdio: readonly string[]): Promise<string> {
  const child = spawn('/usr/bin/perl', ['-e', 'syswrite(STDOUT, $ARGV[0])', HOSTILE], {
    stdio: ['ignore', stdio[0] === '0' ? 0 : 'ignore', 'ignore'],
  });
  return heard(child, 'exit');
}

const toLower = (): Attempt[] =>
  notes.ports.slice(0, 2).flatMap((port): Attempt[] => [
    [`connect to ${port}`, () => heard(net.connect(port, '127.0.0.1'), 'connect')],
    [`connect by IPv6 to ${port}`, () => heard(net.connect(port, '::ffff:127.0.0.1'), 'connect')],
    [
      `raw connect to ${port}`,
      () => {
        const handle = rawTcp();
        return request('connect', (req) => handle.connect(req, '127.0.0.1', port));
      },
    ],
    [
      `datagram to ${port}`,
      () => {
        const socket = createSocket('udp4');
        const failure = heard(socket, 'sent');
        socket.send(HOSTILE, port, '127.0.0.1', (error) => {
          if (error) socket.emit('error', error);
          else socket.emit('sent');
        });
        return failure;
      },
    ],
    [`fetch from ${port}`, () => fetch(`http://127.0.0.1:${port}/`)],
  ]);

/** For processes without a network. */
const NETWORK = (): Attempt[] => [
  ...toLower(),
  ['raw handle', () => failed(rawTcp().bind('127.0.0.1', 0))],
  ['resolve a name', () => lookup('localhost.example')],
];

/** For all. */
const SOCKETS: readonly Attempt[] = [
  ['listen', () => heard(net.createServer().listen(0, '127.0.0.1'), 'listening')],
  ['listen by IPv6', () => heard(net.createServer().listen(0, '::1'), 'listening')],
  ['listen on a path', () => heard(net.createServer().listen('/tmp/socket'), 'listening')],
  ['listen on a name', () => heard(net.createServer().listen('\0socket'), 'listening')],
  ['connect to a path', () => heard(net.connect('/run/systemd/notify'), 'connect')],
  ['connect to a name', () => heard(net.connect('\0socket'), 'connect')],
  ['bind a datagram socket', () => heard(createSocket('udp4').bind(0), 'listening')],
  ['raw bind', () => failed(rawTcp().bind('127.0.0.1', 0))],
  ['raw listen', () => failed(rawTcp().listen(5))],
  ['raw bind of a path', () => failed(rawPipe().bind('/tmp/socket'))],
  ['raw bind of a name', () => failed(rawPipe().bind('\0socket'))],
  ['inspector', () => opened()],
  ['netlink', () => os.networkInterfaces()['lo']!.length],
];

function opened(): string {
  inspector.open(0, '127.0.0.1');
  if (inspector.url() === undefined) {
    throw Object.assign(new Error('the inspector does not listen'), { code: 'NO_LISTENER' });
  }
  return inspector.url()!;
}

const pids = (): number[] => {
  const sample = [-1, 0, 1, 2, process.ppid, process.pid, ...notes.pids];
  for (let pid = 3; pid < 4_194_304; pid = Math.ceil(pid * 1.02)) sample.push(pid);
  return sample;
};

function signalled(): void {
  const taken = pids().filter((pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  });
  if (taken.length === 0) throw Object.assign(new Error('none'), { code: 'NOBODY' });
  throw new Error(`takes signals: ${taken.join(' ')}`, { cause: 'done' });
}

const PROCESSES: readonly Attempt[] = [
  ['spawn', () => started(['ignore'])],
  ['spawnSync', () => ran(spawnSync('/usr/bin/perl', ['-e', '1']))],
  ['shell', () => ran(spawnSync('true', { shell: true }))],
  ['fork', () => heard(fork(join(own, 'nothing.js'), { silent: true }), 'spawn')],
  ['signals', () => signalled()],
  ['become root', () => process.setuid!(0)],
  ['become a group', () => process.setgid!(0)],
  ['take groups', () => process.setgroups!([0])],
  ['priority', () => os.setPriority(0, -5)],
  ['another directory', () => process.chdir('/usr')],
  ...(notes.tame
    ? []
    : notes.pids.map((pid): Attempt => [
        `debug ${pid}`,
        () => (process as unknown as { _debugProcess(pid: number): void })._debugProcess(pid),
      ])),
];

function ran({ error, status }: { error?: Error; status: number | null }): string {
  if (error) throw error;
  return `exit ${status ?? 'none'}`;
}

const outside = (path: string): string => join(notes.directory, path);
const read = (path: string): Attempt => [`read ${path}`, () => fs.readFileSync(path)];
const list = (path: string): Attempt => [`list ${path}`, () => fs.readdirSync(path)];

const READS = (): Attempt[] => [
  ...['tidegate.yaml', 'password', 'relay.key', 'policy.yaml'].map((file) => read(outside(file))),
  read(outside('state/supervisor/status')),
  read(outside('state/gate/status')),
  list(outside('state')),
  ...['/etc/shadow', '/etc/passwd', '/proc/1/environ', '/proc/self/mem', '/dev/mem'].map(read),
  ...['/proc/net/tcp', '/dev/shm/x', '/run/tidegate/names/hosts', '/sys/kernel/notes'].map(read),
  ...['/proc', '/sys', '/dev', '/tmp', '/var', '/run', '/root', '/home', '/srv'].map(list),
  ['read in a worker', () => inWorker({ path: outside('password') })],
  // Of another upper, and of the gate or of an upper for the others.
  list('/state/upper/plain'),
  ...(role === 'gate' ? [list('/state/upper')] : [list('/state/gate')]),
  ...(role === 'gate' || role === 'upper' ? [] : [list('/state'), list('/state/journal')]),
];

/** What an upper writes to: open, and bounded. */
const FD_CURSOR = 75;
const journal = '/state/journal/public';
const segment = (): string => {
  const found = fs.readdirSync(journal).find((file) => !file.startsWith('.'));
  return join(journal, found!);
};

const WRITES = (): Attempt[] => [
  ['write below /', () => fs.writeFileSync('/x', '')],
  ['write below /usr', () => fs.writeFileSync('/usr/x', '')],
  ['write over the code', () => fs.writeFileSync(fileURLToPath(import.meta.url), '')],
  ['append to the code', () => fs.appendFileSync(join(own, 'honest.js'), ' ')],
  ['remove the code', () => fs.unlinkSync(join(own, 'honest.js'))],
  ['write a temporary file', () => fs.writeFileSync('/tmp/x', '')],
  ['make a directory', () => fs.mkdirSync('/x')],
  ['make a link', () => fs.linkSync(join(own, 'honest.js'), '/x')],
  ['make a symbolic link', () => fs.symlinkSync('/etc/shadow', '/x')],
  ['write a library', () => fs.copyFileSync('/usr/bin/true', '/usr/lib/x.so')],
  ...(role === 'upper'
    ? ([
        ['append to the journal', () => fs.appendFileSync(segment(), 'x')],
        ['open the journal for both', () => fs.openSync(segment(), 'r+')],
        ['truncate the journal', () => fs.truncateSync(segment(), 0)],
        ['remove the journal', () => fs.unlinkSync(segment())],
        ['rename the journal', () => fs.renameSync(segment(), `${segment()}.x`)],
        ['add to the journal', () => fs.writeFileSync(join(journal, 'x'), 'x')],
        ['give the journal away', () => fs.chmodSync(segment(), 0o777)],
        ['own the journal', () => fs.chownSync(segment(), 0, 0)],
        ['touch the journal', () => fs.utimesSync(segment(), 1, 1)],
        ['link the journal', () => fs.linkSync(segment(), '/state/x')],
        ['link outside', () => fs.symlinkSync('/etc/shadow', '/state/x')],
        ['make a file', () => fs.writeFileSync('/state/x', 'x')],
        ['fill the disk', () => fs.ftruncateSync(FD_CURSOR, 2 ** 30)],
        ['fill the disk by writing', () => fs.writeSync(FD_CURSOR, 'x', 2 ** 30)],
      ] satisfies Attempt[])
    : []),
];

/** A pipe goes one way: against it. */
const PIPES = (): Attempt[] => {
  const back = (fd: number): Attempt => [
    `read descriptor ${fd}`,
    () => fs.readSync(fd, Buffer.alloc(16)),
  ];
  const forth = (fd: number): Attempt => [`write descriptor ${fd}`, () => fs.writeSync(fd, 'x')];
  if (role === 'valve') return [back(1), back(2), back(8)];
  const gate = [back(1), back(2), forth(3), forth(8), forth(72)];
  return role === 'gate' ? gate : [back(1), back(2), forth(3)];
};

/** What this process was given: type and number of every descriptor. */
function descriptors(): string[] {
  const found: string[] = [];
  const root = fs.statSync('/');
  for (let fd = 0; fd < 1024; fd++) {
    try {
      const stats = fs.fstatSync(fd);
      // libuv keeps one to give away when there are no more: / where there is no /dev/null.
      if (stats.ino === root.ino && stats.dev === root.dev) continue;
      const is = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : undefined;
      const kind = is ?? (stats.isSocket() ? 'socket' : stats.isFIFO() ? 'pipe' : 'other');
      found.push(`${fd} ${kind}`);
    } catch {
      // Not open.
    }
  }
  return found;
}

async function attempt([what, act]: Attempt): Promise<void> {
  let outcome: string;
  try {
    const done = await Promise.race([
      Promise.resolve().then(act),
      pause(3000).then(() => {
        throw Object.assign(new Error('nothing happened'), { code: 'TIMEOUT' });
      }),
    ]);
    outcome = `done: ${String(done).slice(0, 100)}`;
  } catch (error) {
    const { code, message, cause } = error as NodeJS.ErrnoException & { cause?: unknown };
    const under = (cause as NodeJS.ErrnoException | undefined)?.code;
    outcome = cause === 'done' ? `done: ${message.slice(0, 100)}` : (under ?? code ?? message);
  }
  say({ event: 'attempt', role, what, outcome });
  await pause(20);
}

async function probe(): Promise<void> {
  say({ event: 'descriptors', role, open: descriptors() });
  const silent = role === 'valve' || role === 'gate' || role === 'upper';
  const attempts = [
    ...(role === 'valve' ? ON_SOCKET : []),
    ...(silent ? NETWORK() : []),
    ...SOCKETS,
    ...PROCESSES,
    ...READS(),
    ...(notes.tame ? [] : WRITES()),
    ...PIPES(),
  ];
  for (const each of attempts) await attempt(each);
  say({ event: 'attempted', role });
}

/** Waits, busily, for whoever does not read. */
function pour(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at, Math.min(bytes.length - at, 65_536));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

function frame(
  payload: string,
  {
    lines = 0,
    generation = 1,
    totals = zeroTotals(),
    spoil = undefined as ((bytes: Buffer) => void) | undefined,
  } = {},
): Buffer {
  const bytes = Buffer.alloc(HEADER + payload.length);
  bytes.write(payload, HEADER);
  sealFrame(bytes, payload.length, generation, lines, totals);
  spoil?.(bytes);
  // The CRCs are right whatever was spoiled.
  bytes.writeUInt32BE(crc32(bytes.subarray(HEADER)), HEADER - 10);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, HEADER - 6)), HEADER - 6);
  return bytes;
}

const EVENT = '0,10,6,0,,7777777,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1\r\n';
const all = (value: number) => {
  const totals = zeroTotals();
  for (const field of Object.keys(totals) as (keyof typeof totals)[]) totals[field] = value;
  return totals;
};

/** What a valve can say to the gate. */
const FRAMES: Readonly<Record<string, readonly (() => Buffer)[]>> = {
  'frames-lies': [
    () => Buffer.alloc(300_000, '\n\nTG'),
    () => frame(EVENT, { lines: 0xffff_ffff }),
    () => frame(EVENT.repeat(3), { totals: { ...zeroTotals(), read: 1 } }),
    () => frame('', { totals: all(2 ** 63) }),
    () => frame(EVENT, { lines: 1, totals: all(2 ** 53) }),
    () => frame('', { totals: zeroTotals() }),
    () => frame(EVENT, { totals: { ...zeroTotals(), overflow: 1000 } }),
    () => Buffer.concat(Array.from({ length: 2000 }, (_, generation) => frame('', { generation }))),
    () => frame('\n'.repeat(MAX_PAYLOAD)),
    () => frame('0,10\n'.repeat(MAX_PAYLOAD / 5 - 1)),
    () => frame(`${'x'.repeat(MAX_PAYLOAD - 1)}\n`),
    () => frame('\0\r\n'.repeat(1000)),
  ],
  'frames-unknown': [
    () => frame(EVENT, { spoil: (bytes) => bytes.writeUInt8(9, 4) }),
    () => frame(EVENT, { spoil: (bytes) => bytes.writeUInt8(9, 5) }),
    () => frame(EVENT, { spoil: (bytes) => bytes.writeUInt32BE(0xffff_ffff, 6) }),
    () => frame('0,10,6'),
  ],
};

async function forge(frames: (typeof FRAMES)[string]): Promise<void> {
  for (const make of frames) {
    pour(8, make());
    await pause(200);
  }
  say({ event: 'attempted', role });
  await pause(400);
  process.exit(10);
}

async function main(): Promise<void> {
  const frames = FRAMES[name];
  if (frames && role === 'valve') await forge(frames);
  if (name === 'probe') await probe();
  if (name === 'socket' && role === 'valve') {
    for (const each of WITH_SOCKET) {
      await attempt(each);
    }
    say({ event: 'attempted', role });
    process.exit(10);
  }
  await import(pathToFileURL(join(own, 'honest.js')).href);
}

await main();
