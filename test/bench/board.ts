/** The board under load: a relay sends, a thousand readers watch, others ask; as its real process. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthority, issueCertificate } from '../../src/pki/authority.js';
import { readUsage } from '../../src/supervisor/usage.js';
import { Child } from './child.js';
import { DIST, SCRATCH } from './place.js';

export interface BoardRun {
  /** Events taken in a second, and those that the relay offered. */
  readonly rate: number;
  readonly offered: number;
  /** Stream readers, and readings that each has got in a second. */
  readonly streams: number;
  readonly shown: number;
  /** Requests answered in a second, and their time, ms. */
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  /** Per second, of one core. */
  readonly cpu: number;
  /** Bytes at most, and when half of the time was over. */
  readonly memory: number;
  readonly half: number;
}

async function prepare(directory: string): Promise<string> {
  const authority = await createAuthority({ commonName: 'bench CA', days: 2 });
  const names = ['board.example'];
  const board = await issueCertificate(authority, {
    ...{ commonName: 'board.example', usage: 'server' as const, names, days: 2 },
  });
  const relay = await issueCertificate(authority, {
    ...{ commonName: 'relay', usage: 'client' as const, names: [], days: 2 },
  });
  const texts = {
    'ca.pem': authority.certificate,
    'board.pem': board.certificate,
    'board.key': board.key,
    'relay.pem': relay.certificate,
    'relay.key': relay.key,
    password: 'secret',
    'board.yaml': `schema: tidegate-board/v1
state: state
link:
  port: 0
  tls: { cert: board.pem, key: board.key, ca: ca.pem }
  users: { relay: { may: send, password_file: password, certificate: relay } }
public: { port: 0 }
`,
  };
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
  }
  return join(directory, 'board.yaml');
}

/** @param rate events per second; `seconds` of it are measured */
export async function runBoard(
  rate: number,
  streams: number,
  requests: number,
  seconds: number,
): Promise<BoardRun> {
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'board-'));
  const config = await prepare(directory);
  const log = join(directory, 'log');
  const main = join(DIST, 'board/main.js');
  const shell = ['-c', 'exec "$0" "$1" -c "$2" 2> "$3"', process.execPath, main, config, log];
  const board = spawn('/bin/sh', shell, { stdio: 'ignore' });
  let line: string | undefined;
  while (line === undefined) {
    await sleep(50);
    const lines = readFileSync(log, { encoding: 'utf8', flag: 'a+' }).split('\n');
    line = lines.find((each) => each.includes('"listening"'));
  }
  const ports = JSON.parse(line) as { link: number; public: number };
  const relay = new Child('board-relay', [directory, String(ports.link), String(rate)]);
  const readers = new Child('board-readers', [
    ...[ports.public, streams, requests].map((number) => String(number)),
  ]);
  await Promise.all([relay.word('ready'), readers.word('ready')]);
  // What has to be compiled is compiled.
  await sleep(3000);
  const before = readUsage(board.pid!)!;
  for (const child of [relay, readers]) child.process.kill('SIGUSR2');
  let [memory, half] = [0, 0];
  for (let i = 0; i < seconds * 4; i++) {
    await sleep(250);
    memory = Math.max(memory, readUsage(board.pid!)!.memory);
    if (i === seconds * 2) half = memory;
  }
  const cpu = (readUsage(board.pid!)!.cpu - before.cpu) / 1000 / seconds;
  for (const child of [relay, readers]) child.process.kill('SIGUSR2');
  const [sent, answered] = (await relay.word('sums')).split(' ').map(Number);
  const [served, shown, p50, p99] = (await readers.word('sums')).split(' ').map(Number);
  for (const child of [relay, readers]) child.stop();
  board.kill('SIGTERM');
  await new Promise((resolve) => board.on('exit', resolve));
  rmSync(directory, { recursive: true, force: true });
  return {
    ...{ rate: answered! / seconds, offered: sent! / seconds, streams, shown: shown! / seconds },
    ...{ requests: served! / seconds, p50: p50!, p99: p99!, cpu, memory, half },
  };
}
