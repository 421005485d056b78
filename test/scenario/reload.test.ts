/** Policies are replaced while events flow: by a whole, or not at all. */
import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { digestOf } from '../../src/wire/bundle.js';
import type { ChannelStatus } from '../../src/wire/status.js';
import { numberedEvents, type RunningRelay, startRelay } from './relay.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

function policy(revision: number, emit: string, more = ''): string {
  return `schema: tidegate-policy/v1
policy: { id: all, revision: ${revision} }
rules:
  - { name: all, effect: permit, to: [public], match: { class: [10, 20] }, emit: { ${emit} } }
${more}`;
}

/** What each of the two policies sends for an event: told apart by the GUID. */
const OLD = policy(1, 'data: keep, time: keep, guid: "::1"');
const NEW = policy(2, 'data: keep, time: keep, guid: "::2"');

interface Outcome {
  readonly code: number | null;
  readonly out: string;
}

/** Not a test of the file system: the command as an operator gives it. */
function reload(relay: RunningRelay, config = 'tidegate.yaml'): Promise<Outcome> {
  const args = [CLI, 'reload', '-c', join(relay.directory, config)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out })));
}

async function begin(t: Parameters<typeof startRelay>[0], text: string) {
  const lower = await FakeLower.start({ kind: 'vscpd-14' });
  const upper = await FakeUpper.start({});
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port }],
    window: 200,
    policy: text,
  });
  await relay.untilUp();
  await lower.untilLoop();
  const write = (words: string): void => {
    writeFileSync(join(relay.directory, 'policy.yaml'), words);
  };
  return { lower, upper, relay, write };
}

await t.test(
  'events go on under the old policies, then under the new, none under half',
  async (t) => {
    const { lower, upper, relay, write } = await begin(t, OLD);
    let sent = 0;
    const flowing = new AbortController();
    const flow = (async () => {
      while (!flowing.signal.aborted) {
        // No more than the relay takes: what it drops is another story.
        if (sent - upper.accepted.length < 20_000) {
          lower.send(numberedEvents(sent + 1, sent + 200));
          sent += 200;
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    for (const [text, revision] of [
      [NEW, 2],
      [OLD, 1],
      [NEW, 2],
    ] as const) {
      write(text);
      const { code, out } = await reload(relay);
      t.equal(code, 0, out);
      t.match(out, `in force: all revision ${revision}`);
      t.equal(relay.gate()?.policy.digest, digestOf([{ file: '', text }]));
    }
    flowing.abort();
    await flow;
    await relay.until(() => upper.accepted.length >= sent, 'all of it arrives');
    const guids = upper.accepted.map((send) => send.split(',')[6]!.slice(-1));
    const changes = guids.filter((guid, i) => i > 0 && guid !== guids[i - 1]).length;
    t.equal(changes, 3, 'three changes, each at one event');
    t.same(new Set(guids), new Set(['1', '2']));
    const channel = (): ChannelStatus => relay.gate()!.channels[0]!;
    await relay.until(() => channel().permitted === sent, 'all of it is counted');
    t.equal(channel().emitted, sent);

    // A gate that is started anew decides by what was put in force last.
    await relay.replaceGate();
    const digest = digestOf([{ file: '', text: NEW }]);
    t.equal(relay.gate()!.policy.digest, digest);
  },
);

await t.test('what is wrong is refused with its place, and the old policies stay', async (t) => {
  const { lower, upper, relay, write } = await begin(t, OLD);
  const key = join(relay.directory, 'key');
  const pseudonym = policy(3, 'guid: { pseudonym: { key_file: key, prefix: "02:52/16" } }');
  const test = (emitted: number): string =>
    `tests:\n  - { name: one, feed: { event: { class: 10, type: 6 } }, expect: { emitted: ${emitted} } }\n`;
  const claim = 'assert:\n  - never: { class: "@SECURITY" }\n';
  const twin = '  - { name: two, effect: permit, to: public, match: { class: 10 } }\n';
  const cases: [string, RegExp][] = [
    ['schema: tidegate-policy/v1\n', /policy\.yaml:1:1: the file needs 'policy'/],
    [policy(3, 'guid: kep'), /policy\.yaml:4:\d+: .*guid/],
    [
      policy(3, 'guid: keep', test(2)),
      /policy\.yaml:6:\d+: test 'one': emitted: expected 2, sent 1/,
    ],
    [policy(3, 'guid: keep', twin), /permits 'all\/all' and 'all\/two' match the same events/],
    [policy(3, 'guid: keep', claim), /assert is not yet provable/],
    [pseudonym, /there is no .*key; make one: .*openssl rand/],
  ];
  for (const [text, words] of cases) {
    write(text);
    const { code, out } = await reload(relay);
    t.equal(code, 1, out);
    t.match(out, words);
    t.match(out, 'the old policies stay');
  }
  writeFileSync(key, 'short', { mode: 0o600 });
  t.match((await reload(relay)).out, /must hold one line of 32 characters or more/);
  writeFileSync(key, 'k'.repeat(32));
  chmodSync(key, 0o644);
  t.match((await reload(relay)).out, /can be read by others/);
  t.equal(relay.gate()!.policy.digest, digestOf([{ file: '', text: OLD }]));
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events go on');
  t.ok(upper.accepted.every((send) => send.split(',')[6]!.endsWith(':01')));

  chmodSync(key, 0o600);
  t.equal((await reload(relay)).code, 0);
  lower.send(numberedEvents(11, 20));
  await relay.until(() => upper.accepted.length === 20, 'by the new policies');
  t.ok(upper.accepted.slice(10).every((send) => send.split(',')[6]!.startsWith('02:52:')));
});

await t.test('anything but policies needs a restart, and is named', async (t) => {
  const { relay, write } = await begin(t, OLD);
  const config = join(relay.directory, 'tidegate.yaml');
  const before = readFileSync(config, 'utf8');
  writeFileSync(config, before.replace(/port: \d+/, 'port: 1').replace('age: 1d', 'age: 2d'));
  write(NEW);
  const { code, out } = await reload(relay);
  t.equal(code, 1);
  t.match(out, 'restart needed');
  t.match(out, 'channels.public.retain.age, lowers.plant.port');
  t.equal(relay.gate()!.policy.digest, digestOf([{ file: '', text: OLD }]));
  writeFileSync(config, before);
  writeFileSync(join(relay.directory, 'other.yaml'), before);
  t.match(await reload(relay, 'other.yaml'), { code: 1, out: /was started with .*tidegate\.yaml/ });
  writeFileSync(join(relay.directory, 'second.yaml'), NEW.replace('id: all', 'id: second'));
  writeFileSync(config, before.replace('[policy.yaml]', '[policy.yaml, second.yaml]'));
  t.match(await reload(relay), { code: 0, out: 'in force: all revision 2, second revision 2' });
  await relay.stop();
  t.match(await reload(relay), { code: 1, out: /no relay of .* is running/ });
});
