import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberOf, type RunningRelay, startRelay } from './relay.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:0A';
const ROUNDS = 5;
const BATCH = 400;
/** Every tenth is urgent. */
const URGENT = 10;

function events(first: number, last: number): string {
  const lines: string[] = [];
  for (let n = first; n <= last; n++) {
    lines.push(
      `${n % URGENT === 0 ? 0 : 96},10,6,3,2026-11-22T08:00:00Z,${n},${GUID},0x8A,${n % 256}`,
    );
  }
  return lines.join('\r\n');
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

function journal(relay: RunningRelay, ...args: string[]) {
  const config = join(relay.directory, 'tidegate.yaml');
  const [name, ...rest] = args;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'journal', name!, '-c', config, ...rest],
    { encoding: 'utf8', timeout: 60_000, maxBuffer: 2 ** 26 },
  );
  return { status, stdout, stderr };
}

/** Collects the lines of a process. */
function collect(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  return lines;
}

await t.test('the journal of a relay that runs, is killed, and runs on is looked at', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  t.teardown(() => lower.close());
  const upper = await FakeUpper.start();
  t.teardown(() => upper.close());
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
  });
  await lower.untilLoop();
  const config = join(relay.directory, 'tidegate.yaml');
  const follower = spawn(
    process.execPath,
    [MAIN, 'journal', 'cat', '-c', config, 'public', '--follow', '--vscp'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => follower.kill());
  const followed = collect(follower);

  for (let round = 0; round < ROUNDS; round++) {
    lower.send(events(round * BATCH + 1, (round + 1) * BATCH));
    // While it writes: what is seen half done is no damage.
    const verdict = journal(relay, 'verify');
    t.equal(verdict.status, 0, verdict.stdout + verdict.stderr);
    await relay.until(() => upper.sends.length >= (round + 1) * BATCH, 'all are sent');
  }
  const count = ROUNDS * BATCH;
  await relay.until(() => followed.length >= count, 'all are followed');
  t.same(followed.map(numberOf), range(count), 'both lanes, in the order of the events');

  const found = JSON.parse(journal(relay, 'ls', '--json').stdout) as {
    channels: { lanes: { records: number }[]; uppers: { lanes: Record<string, object> }[] }[];
  };
  const urgent = count / URGENT;
  t.match(found.channels[0]?.lanes, [{ records: count - urgent }, { records: urgent }]);
  await relay.until(() => {
    const { lanes } = relay.upper('portal')!;
    return lanes.routine.sequence === count - urgent && lanes.urgent.sequence === urgent;
  }, 'the upper says that it is done');
  t.match(
    journal(relay, 'ls').stdout,
    /upper portal {2}up .*routine at 1,800, 0 pending; urgent at 200, 0 pending/,
  );

  // A kill in the midst of it, of all processes at once.
  lower.send(events(count + 1, count + BATCH));
  await relay.until(() => relay.gate()!.channels[0]!.journalled > count, 'it writes');
  await relay.kill();
  const killed = journal(relay, 'verify');
  t.equal(killed.status, 0, killed.stdout + killed.stderr);
  t.match(killed.stdout, /^journal OK/m);

  const seen = journal(relay, 'cat', '--vscp').stdout.trimEnd().split('\n').map(numberOf);
  t.same(seen, range(seen.length), 'what is committed is the beginning');
  const again = await startRelay(t, {
    directory: relay.directory,
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 50 }],
  });
  await again.until(() => (again.gate()?.channels[0]?.journalled ?? 0) >= count, 'it runs on');
  // The next epoch goes on where the last one ended.
  t.match(JSON.parse(journal(again, 'verify', '--json').stdout), { damage: 0 });
  t.equal(await again.stop(), 0);
  const ended = journal(again, 'verify');
  t.match(ended, { status: 0, stdout: /^journal OK$/m, stderr: '' });
});
