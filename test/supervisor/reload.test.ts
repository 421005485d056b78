import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/config.js';
import type { Process } from '../../src/seal/process.js';
import { Reload } from '../../src/supervisor/reload.js';
import { type Bundle, digestOf } from '../../src/wire/bundle.js';
import type { Logger } from '../../src/wire/log.js';

const CONFIG = `schema: tidegate/v1
state: ./state
lowers: { north: { host: 127.0.0.1, port: 1, user: a, password_file: ./north } }
policies: [policy.yaml]
channels: { public: {} }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 3
    user: c
    password_file: ./portal
    tls: { ca: ca.pem, cert: cert.pem, key: key.pem }
`;
const POLICY = `schema: tidegate-policy/v1
policy: { id: p, revision: 1 }
rules: [{ name: r, effect: permit, to: public, match: { class: 10 } }]
`;
const QUIET = { info: () => undefined, error: () => undefined } as unknown as Logger;

/** A supervisor that only reloads, and its checks, which the test ends. */
function world(t: Test) {
  const directory = t.testdir({ 'tidegate.yaml': CONFIG, 'policy.yaml': POLICY });
  const checks: { end(code: number, words?: string): void }[] = [];
  const handed: Bundle[] = [];
  const states: string[] = [];
  const reload: Reload = new Reload({
    config: loadConfig(join(directory, 'tidegate.yaml'), {}),
    policies: [{ file: 'policy.yaml', text: POLICY }],
    log: QUIET,
    check(_, lines) {
      let gone: (code: number) => void = () => undefined;
      checks.push({
        end(code, words = '') {
          gone(code);
          lines(words);
        },
      });
      const child = { onGone: (call: typeof gone) => (gone = call), kill: () => undefined };
      return child as unknown as Process;
    },
    hand: (bundle) => handed.push(bundle),
    changed: () => states.push(reload.status!.state),
  });
  // Reload waits a minute for a check that does not end.
  t.teardown(() => {
    for (const check of checks) check.end(1);
  });
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text);
  return { reload, checks, handed, states, write };
}

const settled = (): Promise<void> =>
  new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

await t.test('what the check lets through is handed on, with its digest', async (t) => {
  const { reload, checks, handed, states } = world(t);
  t.equal(reload.status, undefined);
  reload.ask();
  t.equal(reload.status?.state, 'checking');
  checks[0]!.end(0);
  await settled();
  t.match(handed, [{ policies: [{ text: POLICY }], keys: {} }]);
  const digest = digestOf([{ file: '', text: POLICY }]);
  t.match(reload.status, { count: 1, state: 'handed', digest });
  t.same(states, ['checking', 'handed']);
});

await t.test('what it says last is the reason, also if that comes behind its end', async (t) => {
  const { reload, checks, handed } = world(t);
  reload.ask();
  checks[0]!.end(1, 'policy.yaml:1:1: wrong\n');
  await settled();
  t.match(reload.status, { state: 'refused', reason: 'policy.yaml:1:1: wrong' });
  reload.ask();
  checks[1]!.end(137);
  await settled();
  t.match(reload.status, { count: 2, state: 'refused', reason: /without a verdict/ });
  t.same(handed, []);
});

await t.test(
  'asked often while one goes on, it is done once more, of what is there then',
  async (t) => {
    const { reload, checks, handed, write } = world(t);
    for (let i = 0; i < 50; i++) reload.ask();
    t.equal(checks.length, 1);
    const other = POLICY.replace('revision: 1', 'revision: 2');
    write('policy.yaml', other);
    checks[0]!.end(0);
    await settled();
    t.equal(checks.length, 2);
    checks[1]!.end(0);
    await settled();
    t.equal(checks.length, 2);
    t.same(
      handed.map(({ policies }) => policies[0]!.text),
      [POLICY, other],
    );
    t.match(reload.status, { count: 2, state: 'handed' });
  },
);

await t.test('what cannot be read, or needs a restart, is refused without a check', (t) => {
  const { reload, checks, write } = world(t);
  const refused = (words: RegExp): void => {
    reload.ask();
    t.match(reload.status, { state: 'refused', reason: words });
  };
  write('tidegate.yaml', CONFIG.replace('port: 1,', 'port: 2,'));
  refused(/^restart needed: .*lowers\.north\.port differ/);
  write('tidegate.yaml', CONFIG.replace('policy.yaml', 'none.yaml'));
  refused(/cannot read .*none\.yaml: ENOENT/);
  write('tidegate.yaml', 'schema: [');
  refused(/tidegate\.yaml:1:/);
  t.equal(checks.length, 0);
  write('tidegate.yaml', CONFIG);
  reload.ask();
  t.equal(checks.length, 1, 'and the next one is none the worse');
  t.end();
});
