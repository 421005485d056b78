import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Config, parseConfig } from '../../src/config/config.js';
import { differences } from '../../src/config/difference.js';
import { checkSigned, manifestPath, readManifest } from '../../src/config/signers.js';
import { DocumentError } from '../../src/document/document.js';
import { signerOf } from '../../src/note/note.js';
import { keyOf, person, policyText, signed } from '../signing/tools.js';

const [alice, bob, carol] = [person('alice'), person('bob'), person('carol')];
const TWO = `keys: ["${keyOf(alice)}", "${keyOf(bob)}"]`;

/** Line 3 holds the signers. */
const config = (signers: string): string => `schema: tidegate/v1
policies: [policy.yaml]
policy_signers: { ${signers} }
state: ./state
lowers: { plant: { host: h, port: 1, user: u, password_file: p } }
channels: { public: {} }
uppers:
  portal:
    { channel: public, host: h, port: 1, user: u, password_file: p, tls: { ca: a, cert: b, key: c } }
`;

function bench(t: Test) {
  const directory = t.testdir({
    both: `# since June\n${keyOf(alice)}\n${keyOf(bob)}\n`,
    broken: 'alice\n',
    'a+b.pub': `${keyOf(carol)}\n`,
  });
  const parse = (signers: string): Config =>
    parseConfig(config(signers), join(directory, 't.yaml'), {});
  const complaint = (work: () => unknown): string => {
    try {
      work();
      return 'fine';
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      return error.message.replaceAll(`${directory}/`, '');
    }
  };
  return { directory, parse, complaint };
}

await t.test('keys stand in the configuration or in files', (t) => {
  const { parse, directory } = bench(t);
  const { policySigners } = parse(`keys: [both, "${keyOf(carol)}"], threshold: 2`);
  t.match(policySigners, { keys: [alice, bob, carol].map(keyOf), threshold: 2, revoked: [] });
  t.same(parse('keys: [a+b.pub], threshold: 1').policySigners?.keys, [keyOf(carol)]);
  const revoked = parse(`keys: [both, a+b.pub], threshold: 2, revoked: ["${bob.id}"]`);
  t.same(revoked.policySigners?.revoked, [bob.id]);
  t.equal(manifestPath(revoked), join(directory, 'policy.yaml.manifest'));
  const elsewhere = parse('keys: [both], threshold: 2, manifest: sub/m');
  t.equal(manifestPath(elsewhere), join(directory, 'sub/m'));
  t.end();
});

await t.test('what is wrong is said at its place', (t) => {
  const { parse, complaint } = bench(t);
  const said = (signers: string): string => complaint(() => parse(signers));
  const again = signerOf('ally', alice.privateKey);
  for (const [signers, words] of [
    ['threshold: 2', "t.yaml:3:17: policy_signers needs 'keys'"],
    [TWO, "t.yaml:3:17: policy_signers needs 'threshold'"],
    ['keys: [both], threshold: 0', 't.yaml:3:44: policy_signers.threshold must be 1 to 64, not 0'],
    ['keys: [both], threshold: 3', 't.yaml:3:44: policy_signers.threshold is 3, and there are 2'],
    ['keys: [a+b.pub], threshold: 2', 'policy_signers.threshold is 2, and there is one key'],
    ['keys: [none], threshold: 1', 't.yaml:3:26: cannot read none: ENOENT'],
    ['keys: [broken], threshold: 1', 't.yaml:3:26: broken:1: a public key is <name>+'],
    [
      `keys: [both, "${keyOf(bob)}"], threshold: 1`,
      /^t.yaml:3:32: the key bob\+.* is there twice$/,
    ],
    [`keys: [both, "${keyOf(again)}"], threshold: 1`, /ally\+\S+ is there twice: it is alice\+/],
    [`keys: ["${keyOf(bob).replace('bob', 'rob')}"], threshold: 1`, 'does not fit its id'],
    ['keys: [both], threshold: 1, revoked: [12345678]', 'put it in quotes'],
    ['keys: [both], threshold: 1, revoked: [bob]', '3:57: policy_signers.revoked[0] is a key'],
    ['keys: [both], threshold: 1, revoked: ["00000000"]', "3:57: no key of these has the id '0000"],
    [
      `keys: [both], threshold: 2, revoked: ["${bob.id}"]`,
      '3:57: a threshold of 2 cannot be reached',
    ],
    ['keys: [both], threshold: 1, revoke: []', /unknown key 'revoke'.*revoked/],
  ] as const) {
    t.match(said(signers), words, signers);
  }
  t.end();
});

await t.test('the manifest is read, and checked in words that name it', (t) => {
  const { parse, complaint, directory } = bench(t);
  const file = join(directory, 'policy.yaml');
  const policies = [{ file, text: policyText('hall', 1) }];
  const given = parse(`${TWO}, threshold: 2`);
  const check = (last?: Map<string, number>): string =>
    complaint(() =>
      checkSigned(given, { manifest: readManifest(given), policies, keys: {}, now: 0, last }),
    );
  const manifest = 'policy.yaml.manifest';
  t.match(check(), `t.yaml:3:17: ${manifest}: the policies are not signed: there is no manifest`);
  writeFileSync(`${file}.manifest`, signed(policies, [alice]));
  t.match(check(), `t.yaml:3:17: ${manifest}: the policies are signed by 1 of the 2`);
  writeFileSync(`${file}.manifest`, signed(policies, [alice, bob]));
  t.equal(check(), 'fine');
  t.match(check(new Map([['hall', 2]])), 'revision 1, and revision 2 was in force');
  const without = { ...given, policySigners: undefined };
  t.equal(readManifest(without), undefined);
  t.equal(
    checkSigned(without, { manifest: undefined, policies, keys: {}, now: 0 }),
    undefined,
    'nobody must sign',
  );
  const folder = parse(`${TWO}, threshold: 2, manifest: .`);
  t.match(
    complaint(() => readManifest(folder)),
    /^t\.yaml:3:\d+: cannot read .*EISDIR/,
  );
  t.end();
});

await t.test('other signers need a restart', (t) => {
  const { parse } = bench(t);
  const one = parse(`${TWO}, threshold: 2`);
  t.same(differences(one, parse('keys: [both], threshold: 2')), [], 'the same, from a file');
  t.same(differences(one, parse('keys: [both], threshold: 1')), ['policy_signers.threshold']);
  t.same(differences(one, { ...one, policySigners: undefined }), [
    'policy_signers.keys.0',
    'policy_signers.keys.1',
    'policy_signers.threshold',
  ]);
  t.end();
});
