/** `tidegate run`, with and without --pretty: the log for people, and a log that nobody reads. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { readSupervisorStatus } from '../../src/wire/status.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, PATIENCE, writeRelay } from './relay.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > end) throw new Error(what);
    await sleep(20);
  }
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

interface Run {
  readonly child: ChildProcess;
  readonly text: () => string;
  readonly code: Promise<number | null>;
}

/** Servers, and a configuration of a relay between them, which the test starts. */
async function begin(t: Test) {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  const upper = await FakeUpper.start({});
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const directory = t.testdir({});
  const config = await writeRelay(directory, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
  });
  let loops = 0;
  const start = async (...options: string[]): Promise<Run> => {
    const child = spawn(process.execPath, [CLI, 'run', ...options, '-c', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, TZ: 'UTC' },
    });
    t.teardown(() => child.kill('SIGTERM'));
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = new Promise<number | null>((resolve) => {
      child.on('exit', resolve);
    });
    await lower.untilLoop(++loops);
    return { child, text: () => text, code };
  };
  const pids = (): number[] =>
    readSupervisorStatus(join(directory, 'state'))!.processes.map(({ pid }) => pid);
  let sent = 0;
  const flow = async (what: string): Promise<void> => {
    lower.send(numberedEvents(sent + 1, sent + 100));
    sent += 100;
    await until(() => upper.accepted.length === sent, what);
  };
  return { config, start, pids, flow, upper };
}

await t.test('people read it, and signals do what they do', async (t) => {
  const { start, flow, pids } = await begin(t);
  const { child, text, code } = await start('--pretty');
  await flow('events flow');
  child.kill('SIGHUP');
  await until(() => text().includes('policies handed on'), 'a reload');
  const known = pids();
  child.kill('SIGTERM');
  t.equal(await code, 0);
  await until(() => text().includes(' supervisor: stopped event=stopped\n'), 'the last word');
  for (const line of text().trimEnd().split('\n')) {
    t.match(line, /^\d\d:\d\d:\d\d (INFO |WARN |ERROR) [a-z]+( [a-z]+)?: ./);
    t.notMatch(line, /[^\x20-\x7e]/, 'no colours where there is no terminal');
  }
  t.match(text(), /^\S+ INFO {2}lower plant: connected and handed over event=connected$/m);
  t.match(text(), /^\S+ INFO {2}supervisor: relay started event=started config=\S+$/m);
  t.strictSame(known.filter(alive), [], 'all of it has ended');
});

for (const options of [['--pretty'], []]) {
  const name = ['run', ...options].join(' ');
  await t.test(`${name}: nobody reads the log any more, and the relay goes on`, async (t) => {
    const { start, flow, upper, pids } = await begin(t);
    const { child, code } = await start(...options);
    child.stderr!.destroy();
    const connections = upper.connections.length;
    for (let i = 1; i <= 3; i++) {
      upper.dropAll('fin');
      await until(() => upper.connections.length >= connections + i, 'it connects again');
    }
    await flow('events flow');
    child.kill('SIGHUP');
    await flow('and flow');
    const known = pids();
    child.kill('SIGTERM');
    t.equal(await code, 0, 'ended as told');
    t.strictSame(known.filter(alive), []);
  });

  await t.test(`${name}: killed, the supervisor ends in good order`, async (t) => {
    const { start, flow, pids } = await begin(t);
    const { child, code } = await start(...options);
    await flow('events flow');
    const known = pids();
    child.kill('SIGKILL');
    t.equal(await code, null);
    await until(() => known.every((pid) => !alive(pid)), 'all of it ends');
    const again = await start(...options);
    await flow('events flow again, none twice');
    again.child.kill('SIGINT');
    t.equal(await again.code, 0);
  });
}

await t.test('why it does not start is shown, with colours on a terminal', async (t) => {
  const { config, start } = await begin(t);
  const { child, code } = await start();
  const args = [CLI, 'run', '--pretty', '-c', config];
  const second = spawnSync(process.execPath, args, { encoding: 'utf8' });
  t.equal(second.status, 1, 'the exit code is that of the supervisor');
  t.match(second.stderr, /^\d\d:\d\d:\d\d FATAL supervisor: [^\n]* event=refused\n$/);
  if (existsSync('/usr/bin/script')) {
    const words = [process.execPath, ...args].map((word) => `'${word}'`).join(' ');
    for (const [NO_COLOR, shown] of [
      [undefined, / \x1b\[1;31mFATAL\x1b\[0m supervisor: /],
      ['1', / FATAL supervisor: /],
    ] as const) {
      const env = { ...process.env, NO_COLOR };
      const { stdout } = spawnSync('/usr/bin/script', ['-qec', words, '/dev/null'], {
        encoding: 'utf8',
        env,
      });
      t.match(stdout, shown);
    }
  } else t.comment('no terminal to try: bsdutils is not installed');
  child.kill('SIGTERM');
  t.equal(await code, 0);
});
