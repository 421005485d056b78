/** The gate alone: decode, decide, rebuild, journal with fdatasync per batch, as its real process. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makePipes } from '../../src/seal/pipes.js';
import { readUsage } from '../../src/supervisor/usage.js';
import { writeBundles } from '../../src/wire/bundle.js';
import { FD } from '../../src/wire/fd.js';
import { type GateSettings } from '../../src/wire/settings.js';
import { readGateStatus } from '../../src/wire/status.js';
import { makePolicy } from './lines.js';
import { sizeOfLog } from './log-size.js';
import { SCRATCH } from './place.js';
import type { Run } from './relay.js';
import { programOf } from './unaudited.js';

export async function runGate(count: number, audited: boolean): Promise<Run> {
  mkdirSync(SCRATCH, { recursive: true });
  const directory = mkdtempSync(join(SCRATCH, 'gate-'));
  const settings: GateSettings = {
    sources: ['plant'],
    channels: [
      {
        name: 'public',
        directory: join(directory, 'journal'),
        retain: { size: 2 ** 32, age: 86_400_000 },
      },
    ],
    directory: join(directory, 'gate'),
    audit: { directory: join(directory, 'audit'), relay: 'bench', host: 'bench' },
  };
  writeFileSync(join(directory, 'settings'), JSON.stringify({ gate: settings }));
  const pipe = makePipes(join(directory, 'run'), ['pipe']).get('pipe')!;
  const settingsFd = openSync(join(directory, 'settings'), 'r');
  const stdio: (number | 'ignore' | 'inherit')[] = ['ignore', 'ignore', 'ignore', settingsFd];
  for (let fd = 4; fd < FD.policies; fd++) stdio[fd] = 'ignore';
  stdio[FD.pipe] = pipe.read;
  const policies = openSync(join(directory, 'policies'), 'w+');
  const texts = [{ file: 'policy.yaml', text: makePolicy(false) }];
  writeBundles(policies, [{ number: 0, policies: texts, keys: {} }]);
  stdio[FD.policies] = policies;
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(directory, 'key'), pem, { mode: 0o600 });
  stdio[FD.key] = openSync(join(directory, 'key'), 'r');
  const gate = spawn(process.execPath, [join(programOf(audited), 'gate/main.js'), 'tidegate'], {
    stdio,
  });
  const feeder = fileURLToPath(new URL('./feeder.js', import.meta.url));
  const feed = spawn(process.execPath, [feeder, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit', pipe.write],
  });
  closeSync(pipe.read);
  closeSync(pipe.write);
  let text = '';
  feed.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const said = async (word: string): Promise<string> => {
    while (!text.includes(word)) await new Promise((resolve) => setTimeout(resolve, 5));
    return new RegExp(`${word} ?(\\d*)`).exec(text)![1]!;
  };
  await said('ready');
  while (!readGateStatus(directory)) await new Promise((resolve) => setTimeout(resolve, 20));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = readUsage(gate.pid!)!;
  feed.kill('SIGUSR2');
  let usage = before;
  const poll = setInterval(() => {
    const now = readUsage(gate.pid!);
    // A process that has ended, and is not yet waited for, has no memory.
    if (now && now.memory > 0) usage = now;
  }, 5);
  await new Promise((resolve) => gate.on('exit', resolve));
  const last = process.hrtime.bigint();
  clearInterval(poll);
  const seconds = Number(last - BigInt(await said('first'))) / 1e9;
  const plant = readGateStatus(directory)!.sources['plant']!;
  if (plant.in !== count || plant.permitted !== count * 0.4 || plant.denied !== count * 0.6) {
    throw new Error(`the sums do not hold: ${JSON.stringify(plant)}`);
  }
  closeSync(settingsFd);
  closeSync(policies);
  const log = audited ? { log: sizeOfLog(join(directory, 'audit')) } : {};
  rmSync(directory, { recursive: true, force: true });
  return { seconds, cpu: { gate: usage.cpu - before.cpu }, memory: usage.memory, ...log };
}
