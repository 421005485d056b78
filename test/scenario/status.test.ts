import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, PATIENCE, type RunningRelay, startRelay } from './relay.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const COUNT = 100;

interface Report {
  readonly verdict: string;
  readonly reasons: readonly { readonly verdict: string; readonly text: string }[];
  readonly uppers: Readonly<Record<string, { readonly answered?: number } | null>>;
}

interface Ran {
  readonly code: number | null;
  readonly out: string;
}

/** Runs a command on the relay's configuration; the servers, which live here, go on meanwhile. */
function tidegate(command: string, relay: RunningRelay, ...args: readonly string[]): Promise<Ran> {
  const config = join(relay.directory, 'tidegate.yaml');
  const child = spawn(process.execPath, [MAIN, command, '-c', config, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
}

async function report(relay: RunningRelay): Promise<Report & Pick<Ran, 'code'>> {
  const { code, out } = await tidegate('status', relay, '--json');
  return { code, ...(JSON.parse(out) as Report) };
}

const CODES: Readonly<Record<string, number>> = { well: 0, degraded: 1, down: 2 };

/** What the verdict stands on, but for what is so of every test: certificates of a day, no root. */
function reasonsOf({ reasons }: Report): string[] {
  return reasons
    .map(({ text }) => text)
    .filter((text) => !/certificate .*expires in |^the seal /.test(text));
}

await t.test('the verdict follows what becomes of the relay', async (t) => {
  const lower = await FakeLower.start({ kind: 'vscpd-15', signsOfLife: 1000 });
  t.teardown(() => lower.close());
  const first = await FakeUpper.start({});
  const second = await FakeUpper.start({});
  t.teardown(() => Promise.all([first.close(), second.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [
      { name: 'portal', port: first.port },
      { name: 'archive', port: second.port },
    ],
  });
  await lower.untilLoop();
  lower.send(numberedEvents(1, COUNT));
  /** Waits for a verdict with such a reason, or none. */
  const verdictFor = async (words: RegExp | undefined): Promise<Report> => {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const last = await report(relay);
      t.equal(last.code, CODES[last.verdict], 'the exit code is the verdict');
      const reasons = reasonsOf(last);
      if (words ? reasons.some((text) => words.test(text)) : reasons.length === 0) return last;
      if (Date.now() > deadline)
        throw new Error(`${words?.source ?? 'well'}: ${reasons.join('; ')}`);
    }
  };

  await relay.until(() => relay.upper('portal')?.answered === COUNT, 'all are above');
  const well = await verdictFor(undefined);
  t.equal(well.uppers['portal']?.answered, COUNT);
  t.match((await tidegate('metrics', relay)).out, /^tidegate_forwarding 1$/m);
  t.match(
    (await tidegate('metrics', relay)).out,
    new RegExp(`^tidegate_events_received_total\\{source="plant"\\} ${COUNT}$`, 'm'),
  );
  t.match((await tidegate('status', relay)).out, /^links .*\n {2}lower plant +up /m);

  await first.close();
  const half = await verdictFor(/^upper portal has been connecting for /);
  t.equal(half.verdict, 'degraded', 'one upper of two');
  await second.close();
  t.equal((await verdictFor(/^no upper is up$/)).verdict, 'down');
  t.match((await tidegate('metrics', relay)).out, /^tidegate_upper_up\{upper="portal"\} 0$/m);

  await relay.stop();
  const gone = await report(relay);
  t.match(gone, { code: 2, verdict: 'down', reasons: [{ text: /^no relay runs on / }] });
  t.match(await tidegate('metrics', relay), { code: 0, out: /^tidegate_up 0$/m });
});
