import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readSupervisorStatus } from '../../src/wire/status.js';
import { amount, verifyWell } from './auditor.js';

const DEMO = fileURLToPath(new URL('../../dist/demo/main.js', import.meta.url));

interface Report {
  readonly in: number;
  readonly permitted: number;
  readonly denied: number;
  readonly malformed: number;
  readonly lost: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly down: { readonly script_bytes: number; readonly after_script_bytes: number };
  readonly processes: readonly { readonly process: string; readonly pid: number }[];
}

function run(args: readonly string[]): Report {
  const out = execFileSync(process.execPath, [DEMO, 'tidegate', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(out.trimEnd().split('\n').at(-1)!) as Report;
}

/** Processes of the relay whose command line or working files name `text`. */
function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const alive = (pid: number): boolean => existsSync(`/proc/${pid}`);

await t.test('the demo prints sums that hold, and keeps its state for a second run', async (t) => {
  const state = join(t.testdir({}), 'state');
  let delivered = 0;
  for (const turn of ['first', 'second']) {
    const report = run(['--seconds', '3', '--json', '--state', state]);
    t.ok(report.in > 500, `${turn}: ${report.in} events`);
    t.equal(report.in, report.permitted + report.denied + report.malformed + report.lost, turn);
    t.equal(report.delivered, report.permitted, turn);
    delivered += report.delivered;
    t.ok(report.permitted > 100 && report.denied > 100 && report.malformed > 0, turn);
    t.same([report.lost, report.duplicates], [0, 0], turn);
    t.same(report.down, { script_bytes: 52, after_script_bytes: 0 }, turn);
    const roles = report.processes.map((known) => known.process).sort();
    t.same(roles, ['dial', 'dial', 'gate', 'lower', 'supervisor', 'upper', 'upper', 'valve'], turn);
    for (const { process: role, pid } of report.processes) t.notOk(alive(pid), `${role} has ended`);
  }
  const judged = await verifyWell(t, state);
  t.same([judged.boots, judged.lost], [2, []], 'a log of both runs');
  const beacons = amount(judged.forwarded, 'public', "the relay's own");
  t.ok(beacons >= 2, 'a beacon of each run');
  const forwarded = amount(judged.forwarded, 'public') - beacons;
  t.equal(forwarded, delivered, 'of all that was delivered');
  const segments = readdirSync(join(state, 'journal', 'public')).filter((name) =>
    name.endsWith('.tgj'),
  );
  t.equal(segments.length, 2, 'a segment for each run');
});

await t.test('Ctrl-C ends it cleanly; every process shows in ps by its entry file', async (t) => {
  const state = join(t.testdir({}), 'state');
  const demo = spawn(process.execPath, [DEMO, 'tidegate', '--state', state], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  demo.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const known = () => readSupervisorStatus(state)?.processes ?? [];
  while (!/in [1-9]/.test(text) || known().length < 8) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const processes = known();
  t.equal(processes.length, 8);
  for (const { process: role, pid } of processes) {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    t.match(words[0], /node$/);
    t.match(words[1], new RegExp(`dist/${role}/main\\.js$`));
    t.ok(words.includes('tidegate'));
  }
  demo.kill('SIGINT');
  t.equal(await new Promise((resolve) => demo.on('exit', resolve)), 0);
  for (const { pid } of processes) t.notOk(alive(pid));
  t.same(processesWith(state), []);
  t.notMatch(text, /\x1b/, 'no escapes into a pipe');
  t.match(text, /after 0/);
});

await t.test('a killed demo leaves no process behind', async (t) => {
  const state = join(t.testdir({}), 'state');
  const demo = spawn(process.execPath, [DEMO, 'tidegate', '--state', state], { stdio: 'ignore' });
  const count = (): number => readSupervisorStatus(state)?.processes.length ?? 0;
  while (count() < 8) await new Promise((resolve) => setTimeout(resolve, 50));
  const { processes } = readSupervisorStatus(state)!;
  demo.kill('SIGKILL');
  while (processes.some(({ pid }) => alive(pid))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.pass('all gone');
});

await t.test('its command line teaches', (t) => {
  const help = execFileSync(process.execPath, [DEMO, 'tidegate', '--help'], { encoding: 'utf8' });
  for (const option of ['--seconds', '--json', '--state', '--seed', '--rate']) {
    t.match(help, option);
  }
  for (const args of [['--secnods'], ['--seconds', 'x'], ['--rate', '0'], ['--seed', '-1']]) {
    try {
      execFileSync(process.execPath, [DEMO, 'tidegate', ...args], { stdio: 'pipe' });
      t.fail(args.join(' '));
    } catch (error) {
      t.equal((error as { status: number }).status, 2, args.join(' '));
    }
  }
  t.end();
});
