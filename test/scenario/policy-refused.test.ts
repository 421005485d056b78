/** What the gate refuses, or the disk does not take, must not be what the next gate starts with. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { mountSmallDisk } from '../journal/small-disk.js';
import { Policies } from '../../src/gate/policies.js';
import { openBoth } from '../../src/supervisor/handed.js';
import { type Bundle, digestOf, writeBundles } from '../../src/wire/bundle.js';
import type { Logger } from '../../src/wire/log.js';
import { numberedEvents, PERMIT_ALL, startRelay } from './relay.js';

async function begin(t: Parameters<typeof startRelay>[0], directory?: string) {
  const lower = await FakeLower.start({ kind: 'vscpd-15' });
  const upper = await FakeUpper.start();
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    lowers: [{ name: 'plant', port: lower.port }],
    uppers: [{ name: 'portal', port: upper.port, window: 100 }],
    ...(directory === undefined ? {} : { directory }),
  });
  await relay.untilUp();
  await lower.untilLoop();
  const write = (name: string, text: string): void => {
    writeFileSync(join(relay.directory, name), text);
  };
  return { lower, upper, relay, write };
}

const OLD = digestOf([{ file: '', text: PERMIT_ALL }]);

/** As many rules as a file may have, with names as long as they may be: 550 KB in a journal. */
function wordy(id: string): string {
  const rules = Array.from({ length: 4096 }, (_, i) => {
    const name = `${i}`.padStart(64, 'r');
    return `  - { name: ${name}, effect: permit, to: public, match: { class: 10 } }\n`;
  });
  return `schema: tidegate-policy/v1\npolicy: { id: ${id.padEnd(64, 'p')}, revision: 1 }\nrules:\n${rules.join('')}`;
}

await t.test('policies that the gate refuses leave a gate that can be started anew', async (t) => {
  const { lower, upper, relay, write } = await begin(t);
  write('policy.yaml', wordy('one'));
  write('second.yaml', wordy('two'));
  const config = readFileSync(join(relay.directory, 'tidegate.yaml'), 'utf8');
  write('tidegate.yaml', config.replace('[policy.yaml]', '[policy.yaml, second.yaml]'));
  const said = await relay.reload();
  t.comment(said);
  if (said.startsWith('handed')) {
    await relay.until(() => relay.gate()!.policy.refused !== undefined, 'the gate refuses them');
    t.comment(relay.gate()!.policy.refused?.reason);
  }
  t.equal(relay.gate()!.policy.digest, OLD, 'the old ones stay');
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events go on');
  await relay.replaceGate();
  t.equal(relay.gate()!.policy.digest, OLD, 'the old ones stay');
  lower.send(numberedEvents(11, 20));
  await relay.until(() => upper.accepted.length === 20, 'events go on');
  t.equal(await relay.stop(), 0);
});

await t.test('a disk that fills up while policies are handed on leaves the old ones', async (t) => {
  const disk = mountSmallDisk(t, 32 * 1024);
  if (!disk) return;
  const { lower, upper, relay, write } = await begin(t, disk.directory);
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events flow');
  // Rules take a while to load: between the end of the check, which frees its room, and the handing on.
  write('policy.yaml', wordy('long'));
  const refusals = (): number => relay.log.filter(({ event }) => event === 'reload-refused').length;
  const handed = (): number => relay.log.filter(({ event }) => event === 'reload').length;
  relay.process.kill('SIGHUP');
  await relay.until(() => relay.pid('checker') !== undefined, 'a check goes on');
  const ballast = openSync(join(disk.directory, 'more'), 'a');
  const filling = setInterval(() => {
    try {
      for (;;) writeSync(ballast, Buffer.alloc(4096));
    } catch {
      // Full; and again as soon as there is room.
    }
  }, 1);
  await relay.until(() => refusals() + handed() > 0, 'a verdict');
  clearInterval(filling);
  closeSync(ballast);
  unlinkSync(join(disk.directory, 'more'));
  t.comment(relay.logged(({ event }) => event === 'reload-refused')?.['reason'] ?? 'handed on');
  if (handed() > 0) return; // there was room after all
  await relay.replaceGate();
  t.equal(relay.gate()!.policy.digest, OLD, 'the old ones stay');
  lower.send(numberedEvents(11, 20));
  await relay.until(() => upper.accepted.length === 20, 'events go on');
  t.equal(await relay.stop(), 0);
});

await t.test('a configuration that is no file is refused, and does not hang', async (t) => {
  const { relay, lower, upper } = await begin(t);
  const config = join(relay.directory, 'tidegate.yaml');
  renameSync(config, `${config}.old`);
  execFileSync('mkfifo', [config]);
  relay.process.kill('SIGHUP');
  const refused = (): boolean =>
    relay.logged(({ event }) => event === 'reload-refused') !== undefined;
  await relay.until(refused, 'a FIFO is refused');
  lower.send(numberedEvents(1, 10));
  await relay.until(() => upper.accepted.length === 10, 'events go on');
  renameSync(`${config}.old`, config);
  t.match(await relay.reload(), /^handed/);
  t.equal(await relay.stop(), 0);
});

await t.test('policies that have expired are not replaced by those before them', (t) => {
  const path = join(t.testdir({}), 'policies');
  const { read, write } = openBoth(path);
  const text = (head: string, more = ''): string =>
    PERMIT_ALL.replace('id: all, revision: 1', head) + more;
  const bundle = (number: number, words: string): Bundle => ({
    number,
    policies: [{ file: 'policy.yaml', text: words }],
    keys: {},
  });
  const before = bundle(1, text('id: all, revision: 1'));
  const forbid = '  - { name: no, effect: forbid, match: { class: 20 }, expires: 2026-01-01 }\n';
  const scope = { sources: ['plant'], channels: ['public'] };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  for (const last of [
    text('id: all, revision: 2, expires: 2026-01-01'),
    text('id: all, revision: 2', forbid),
  ]) {
    writeBundles(write, [bundle(2, last), before]);
    // They were in force until their last day: after it nothing goes out, by any policy.
    const policies = new Policies(read, scope, log as unknown as Logger);
    t.match(policies.closed, /expired/);
    t.same(policies.first.ruleNames, []);
    t.match(policies.status, { policies: [], refused: { number: 2, reason: /expired/ } });
    // Right ones end it.
    writeBundles(write, [bundle(3, text('id: all, revision: 3')), bundle(2, last), before]);
    policies.takeChanged(Date.now(), () => undefined);
    t.equal(policies.closed, undefined);
    t.match(policies.status, { number: 3, policies: [{ id: 'all', revision: 3 }] });
  }
  closeSync(read);
  closeSync(write);
  t.end();
});
