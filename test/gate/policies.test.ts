/** Which policies a gate puts in force, of those that the supervisor hands it. */
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Policies } from '../../src/gate/policies.js';
import { sha256Of } from '../../src/signing/manifest.js';
import { openBoth } from '../../src/supervisor/handed.js';
import { type Bundle, digestOf, writeBundles } from '../../src/wire/bundle.js';
import type { Logger } from '../../src/wire/log.js';
import type { Signer } from '../../src/note/note.js';
import { keyOf, person, policyText, signed } from '../signing/tools.js';

const [alice, bob] = [person('alice'), person('bob')];
const SIGNERS = { keys: [alice, bob].map(keyOf), threshold: 2, revoked: [] };
const SCOPE = { sources: ['plant'], channels: ['public'] };
const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };

function bundle(number: number, text: string, by: readonly Signer[] = [alice, bob]): Bundle {
  const policies = [{ file: '/p/hall.yaml', text }];
  return { number, policies, keys: {}, manifest: by.length > 0 ? signed(policies, by) : undefined };
}

const at = (number: number, revision: number): Bundle =>
  bundle(number, policyText('hall', revision));

/** A supervisor's file, and gates that are started on it. */
function world(t: Test) {
  const { read, write } = openBoth(join(t.testdir({}), 'policies'));
  t.teardown(() => [read, write].forEach(closeSync));
  return {
    put: (...bundles: Bundle[]) => {
      writeBundles(write, bundles);
    },
    start: (last: Record<string, number> = {}, signers?: null, unknown?: string) =>
      new Policies(read, SCOPE, QUIET as unknown as Logger, {
        ...{ signers: signers === null ? undefined : SIGNERS, unknown },
        last: new Map(Object.entries(last)),
      }),
  };
}

const revisions = ({ activation }: Policies): number[] =>
  activation.files.map(({ revision }) => revision);

await t.test('what is in force is named with its signers', (t) => {
  const { put, start } = world(t);
  const text = policyText('hall', 3, ', expires: 9999-12-31');
  const given = bundle(5, text);
  put(given);
  const { activation, closed, status } = start();
  t.equal(closed, undefined);
  t.same(activation.files, [
    {
      id: 'hall',
      revision: 3,
      expires: Date.parse('9999-12-31') + 86_400_000,
      sha256: sha256Of(text),
    },
  ]);
  t.same(
    activation.signers,
    [alice, bob].map(({ name, id }) => ({ name, id })),
  );
  t.equal(activation.manifest, given.manifest);
  t.same(activation.ruleNames, ['hall/r']);
  t.equal(activation.status, status);
  const free = start({ hall: 99 }, null);
  t.equal(free.closed, undefined, 'where nobody must sign, nothing is asked');
  t.same(free.activation.signers, []);
  t.end();
});

await t.test('where nothing may be in force, nothing is permitted, until it is right', (t) => {
  const { put, start } = world(t);
  const cases: [Bundle, Record<string, number>, RegExp][] = [
    [bundle(0, policyText('hall', 3), []), {}, /not signed/],
    [bundle(0, policyText('hall', 3), [alice]), {}, /signed by 1 of the 2/],
    [at(0, 3), { hall: 4 }, /revision 3, and revision 4 was in force/],
    [bundle(0, policyText('hall', 3, ', expires: 2026-01-01')), {}, /expired/],
    [{ ...at(0, 4), policies: at(0, 3).policies }, {}, /revision 3 instead of 4/],
  ];
  for (const [given, last, words] of cases) {
    put(given);
    const policies = start(last);
    t.match(policies.closed, words);
    t.same(policies.first.ruleNames, []);
    t.same(policies.activation.files, []);
    t.match(policies.status, { policies: [], refused: { number: 0, reason: words } });
    put(at(1, 4), given);
    let taken = 0;
    policies.takeChanged(Date.now(), () => taken++);
    t.equal(taken, 1);
    t.equal(policies.closed, undefined);
    t.same(revisions(policies), [4]);
  }
  t.end();
});

await t.test('what is refused while a gate runs leaves the old ones, after a kill too', (t) => {
  const { put, start } = world(t);
  const old = at(0, 3);
  const wrong = [
    at(1, 2),
    bundle(1, policyText('hall', 4), [bob]),
    bundle(1, policyText('hall', 4), []),
    bundle(1, policyText('hall', 4, ', expires: 2026-01-01')),
  ];
  for (const other of wrong.slice(0, 3)) {
    put(old);
    const policies = start();
    put(other, old);
    policies.takeChanged(Date.now(), () => t.fail('taken'));
    t.match(policies.status, { number: 0, refused: { number: 1 } });
    t.same(revisions(policies), [3]);
    for (const last of [{}, { hall: 3 }]) {
      const next = start(last);
      t.equal(next.closed, undefined);
      t.same(revisions(next), [3]);
      t.match(next.status, { number: 0, refused: { number: 1 } });
      t.equal(next.activation.status.digest, digestOf(old.policies));
    }
  }
  put(old);
  const policies = start();
  put(at(2, 5), old);
  policies.takeChanged(Date.now(), () => undefined);
  put(at(3, 4), at(2, 5), old);
  policies.takeChanged(Date.now(), () => t.fail('taken'));
  t.same(revisions(policies), [5], 'lower than what was taken while it ran');
  t.end();
});

await t.test('a gate that is started anew falls back to nothing that was not allowed', (t) => {
  const { put, start } = world(t);
  const over = bundle(2, policyText('hall', 5, ', expires: 2026-01-01'));
  // In force until its last day: what is lower came before it or was refused.
  put(over, at(1, 4), at(0, 3));
  t.match(start().closed, /expired/);
  put(at(3, 4), over, at(0, 3));
  t.match(start().closed, /expired/, 'lower than what has expired since');
  put(bundle(3, policyText('hall', 6), [bob]), at(2, 5), at(1, 4));
  t.same(revisions(start()), [5]);
  put(at(3, 4), at(2, 5), at(1, 4));
  t.same(revisions(start()), [5], 'the newest is not the highest');
  put(bundle(3, policyText('hall', 6), [bob]), at(1, 4));
  t.match(start({ hall: 5 }).closed, /signed by 1/);
  t.end();
});

await t.test('where nobody knows which revisions were in force, nothing signed is so', (t) => {
  const { put, start } = world(t);
  put(at(0, 3));
  const policies = start({}, undefined, 'both are gone');
  t.equal(policies.closed, 'no policy is in force: both are gone');
  t.equal(policies.revisions, undefined, 'and none are kept');
  put(at(1, 4), at(0, 3));
  policies.takeChanged(Date.now(), () => t.fail('taken'));
  t.equal(start({}, null, 'both are gone').closed, undefined, 'where nobody must sign');
  t.same(start({ old: 2 }).revisions, new Map(Object.entries({ old: 2, hall: 4 })));
  t.end();
});

await t.test('policies that no leaf of the audit log has room for are refused', (t) => {
  const { put, start } = world(t);
  const many = (count: number): Bundle => {
    const policies = Array.from({ length: count }, (_, i) => {
      const id = `${'p'.repeat(60)}${1000 + i}`;
      return { file: `/p/${i}.yaml`, text: policyText(id, 1) };
    });
    return { number: 1, policies, keys: {}, manifest: undefined };
  };
  put(many(300));
  t.match(start({}, null).closed, /too many policies for the audit log/);
  put(many(100));
  t.equal(start({}, null).closed, undefined);
  t.end();
});
