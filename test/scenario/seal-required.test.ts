/** A relay that cannot be sealed: refused, or run with a word about what is missing. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { numberedEvents, startRelay } from './relay.js';

const DIST = fileURLToPath(new URL('../../dist', import.meta.url));
const SUPERVISOR = [`${DIST}/supervisor/main.js`, 'tidegate'];
const RUN = [`${DIST}/cli/main.js`, 'run'];
const root = process.getuid!() === 0;
const skip =
  root || process.env['TIDEGATE_REQUIRE_ALL'] !== undefined
    ? false
    : 'needs root: what is missing is taken away in a mount namespace';

/** What is said by a relay that is started through `command`, and its exit code. */
function start(
  command: readonly string[],
  entry: readonly string[],
  config: string,
): { code: number | null; log: string } {
  const [file, ...args] = [...command, process.execPath, ...entry, '-c', config];
  const { status, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 20_000,
  });
  return { code: status, log: stderr };
}

const APART = ['unshare', '--mount', '--propagation', 'private', '--'];
const without = (script: string): string[] => [...APART, 'sh', '-c', `${script}; exec "$@"`, 'sh'];

/** A relay between a lower and an upper server. */
async function startBoth(
  t: Test,
  options: { readonly unsealed?: boolean; readonly host?: string } = {},
) {
  const { host, unsealed } = options;
  const named = host === undefined ? {} : { host };
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start({});
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port, ...named }],
    uppers: [{ name: 'portal', port: upper.port, ...named }],
    ...(unsealed === undefined ? {} : { unsealed }),
  });
  return { lower, upper, relay };
}

await t.test('where seals are required and cannot be had, nothing starts', { skip }, async (t) => {
  const { lower, relay } = await startBoth(t);
  await relay.untilUp();
  await relay.stop();
  const connections = lower.connections.length;
  for (const [command, entry, words] of [
    [[], SUPERVISOR, "start it by 'tidegate run'"],
    [without('mount --bind /dev/null /usr/bin/bwrap'), RUN, 'reinstall bubblewrap'],
    [['unshare', '-r', '-m', '--'], RUN, "'uids'"],
  ] as const) {
    const { code, log } = start(command, entry, `${relay.directory}/tidegate.yaml`);
    t.equal(code, 1, words);
    t.match(log, 'the relay cannot be sealed');
    t.match(log, words);
    t.match(log, "set 'seal: preferred'");
  }
  t.equal(lower.connections.length, connections, 'and no server was connected to');
});

await t.test('where they are preferred it runs, and says what is missing', { skip }, async (t) => {
  const { lower, upper, relay } = await startBoth(t, { unsealed: true });
  await lower.untilLoop();
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events arrive');
  for (const seal of ['users', 'namespaces', 'filters']) {
    const line = relay.logged((each) => each['seal'] === seal);
    t.match(line?.msg, 'no mount namespace of its own', seal);
    const state = relay.supervisor()?.seals.find((each) => each.seal === seal);
    t.equal(state?.inForce, false);
  }
});

await t.test('a sealed relay says so, and resolves names inside its sandboxes', async (t) => {
  const { lower, upper, relay } = await startBoth(t, { host: 'localhost' });
  await lower.untilLoop();
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events arrive');
  const seals = relay.supervisor()?.seals ?? [];
  t.equal(seals.length, 3);
  for (const { seal, inForce, reason } of seals) {
    t.equal(inForce || (seal === 'users' && !root), true, reason ?? seal);
  }
});
