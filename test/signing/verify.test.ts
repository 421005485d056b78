import { execFileSync } from 'node:child_process';
import { createHash, createHmac, createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { signerOf, signNote } from '../../src/note/note.js';
import { ExpiredError } from '../../src/policy/compile.js';
import { parsePolicy } from '../../src/policy/parse.js';
import { keyIdOf } from '../../src/signing/manifest.js';
import { checkManifest, type ManifestCheck } from '../../src/signing/verify.js';
import { keyOf, manifestText, person, policyText, pseudonym, signed } from './tools.js';

const [alice, bob, carol] = [person('alice'), person('bob@plant'), person('carol')];
const NOW = Date.parse('2026-06-01T12:00:00Z');
const PATH = '/p/k 1.key';
const KEYS = { [PATH]: 'k'.repeat(64) };
const HALL = {
  file: '/p/hall.yaml',
  text: policyText('hall', 7, ', expires: 2027-03-31', pseudonym('"k 1.key"')),
};
const NEVER = { file: '/p/never.yaml', text: policyText('never', 2).replace('permit', 'forbid') };
const POLICIES = [HALL, NEVER];
const RULES = { keys: [alice, bob, carol].map(keyOf), threshold: 2, revoked: [] };
const NOTE = signed(POLICIES, [alice, bob], KEYS);

function check(change: Partial<ManifestCheck> = {}): string {
  const all = { manifest: NOTE, policies: POLICIES, keys: KEYS, signers: RULES, now: NOW };
  try {
    const { signers, text } = checkManifest({ ...all, ...change });
    t.ok((change.manifest ?? NOTE).startsWith(text));
    return `by ${signers.map(({ name }) => name).join(' and ')}`;
  } catch (error) {
    return (error as Error).message;
  }
}

await t.test('the manifest is what it is documented to be', (t) => {
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const id = createHmac('sha256', KEYS[PATH]).update('tidegate key id').digest('hex').slice(0, 16);
  const [, tables, ...rest] = manifestText(POLICIES, KEYS).split('\n');
  t.match(tables, /^tables [0-9a-f]{64}$/);
  t.same(rest, [
    `policy hall 7 2027-03-31 ${sha256(HALL.text)}`,
    `key ${id} k 1.key`,
    `policy never 2 never ${sha256(NEVER.text)}`,
    '',
  ]);
  t.equal(keyIdOf(KEYS[PATH]), id);
  t.end();
});

await t.test('enough distinct people, in any order', (t) => {
  t.equal(check(), 'by alice and bob@plant');
  t.equal(check({ manifest: signed(POLICIES, [carol, bob], KEYS) }), 'by carol and bob@plant');
  const few = check({ manifest: signed(POLICIES, [bob], KEYS) });
  t.match(few, 'signed by 1 of the 2 that are needed (bob@plant+');
  t.match(few, /1 more of alice\+[0-9a-f]{8}, carol\+[0-9a-f]{8}: 'tidegate policy sign'/);
  t.match(check({ manifest: signed(POLICIES, [bob, bob], KEYS) }), 'signed by 1 of the 2');
  t.match(check({ manifest: undefined }), 'not signed: there is no manifest');
  const stranger = check({ manifest: signed(POLICIES, [bob, person('mallory')], KEYS) });
  t.match(stranger, /signed by 1 of the 2.*not known here: mallory\+/);
  const namesake = check({ manifest: signed(POLICIES, [bob, person('alice')], KEYS) });
  t.match(namesake, 'signed by 1 of the 2', 'another key under a known name');
  t.end();
});

await t.test('one person with two names, or two keys, counts once', (t) => {
  const twice = signerOf('alice2', alice.privateKey);
  t.match(
    check({ signers: { ...RULES, keys: [alice, twice, bob].map(keyOf) } }),
    /alice2\+.* is the same key as alice\+/,
  );
  const other = person('alice');
  const keys = [alice, other, bob].map(keyOf);
  const manifest = signed(POLICIES, [alice, other], KEYS);
  t.match(check({ signers: { ...RULES, keys }, manifest }), 'signed by 1 of the 2');
  const both = signed(POLICIES, [alice, other, bob], KEYS);
  t.equal(check({ signers: { ...RULES, keys }, manifest: both }), 'by alice and bob@plant');
  t.match(check({ signers: { ...RULES, keys: keys.slice(0, 2) } }), 'cannot be reached');
  t.match(check({ signers: { ...RULES, threshold: 0 } }), 'less than one');
  t.end();
});

await t.test('a revoked key counts for nothing, by its id and by itself', (t) => {
  for (const revoked of [[alice.id], [keyOf(alice)], [keyOf(signerOf('x', alice.privateKey))]]) {
    const signers = { ...RULES, revoked };
    t.match(check({ signers }), /signed by 1 of the 2.*revoked, and so for nothing: alice\+/);
    const manifest = signed(POLICIES, [alice, bob, carol], KEYS);
    t.equal(check({ signers, manifest }), 'by bob@plant and carol');
  }
  t.match(check({ signers: { ...RULES, revoked: ['00000000'] } }), "has the id '00000000'");
  const most = { ...RULES, revoked: [alice.id, bob.id] };
  t.match(
    check({ signers: most }),
    'threshold of 2 cannot be reached: there are 1 signers, of those',
  );
  t.end();
});

await t.test('it is the set that is signed: nothing added, left out or moved', (t) => {
  const third = { file: '/p/c.yaml', text: policyText('c', 1) };
  t.match(check({ policies: [HALL] }), "policy 'never' was signed too, and is left out");
  t.match(check({ policies: [...POLICIES, third] }), "policy 'c' is not in what was signed");
  t.match(check({ policies: [NEVER, HALL] }), 'signed in the order hall, never');
  t.match(check({ policies: [HALL, HALL] }), "policy 'hall' is not in what was signed");
  t.match(check({ keys: { [PATH]: 'j'.repeat(64) } }), 'keys of pseudonyms: k 1.key (');
  t.match(check({ keys: {} }), 'the key /p/k 1.key is not there');
  const longer = { ...HALL, text: HALL.text.replace('2027-03-31', '2028-03-31') };
  t.match(check({ policies: [longer, NEVER] }), "'hall' is not what was signed: its last day was");
  const higher = { ...HALL, text: policyText('hall', 8) };
  t.match(check({ policies: [higher, NEVER] }), 'revision 8 instead of 7');
  const tables = manifestText(POLICIES, KEYS).replace(
    /tables [0-9a-f]/,
    'tables x'.slice(0, 7) + '0',
  );
  const other =
    tables === manifestText(POLICIES, KEYS) ? tables.replace('tables 0', 'tables 1') : tables;
  t.match(check({ manifest: signNote(other, [alice, bob]) }), 'class and type tables');
  t.end();
});

await t.test('lower than the last one in force, or over: refused', (t) => {
  const last = (hall: number) =>
    new Map([
      ['hall', hall],
      ['gone', 99],
    ]);
  t.match(check({ last: last(6) }), /^by/);
  t.match(check({ last: last(7) }), /^by/);
  t.match(check({ last: last(8) }), "policy 'hall' has revision 7, and revision 8 was in force");
  t.match(check({ now: Date.parse('2027-03-31T23:59:59Z') }), /^by/);
  const now = Date.parse('2027-04-01T00:00:00Z');
  try {
    checkManifest({ manifest: NOTE, policies: POLICIES, keys: KEYS, signers: RULES, now });
    t.fail('it is over');
  } catch (error) {
    t.ok(error instanceof ExpiredError);
    t.match((error as Error).message, "/p/hall.yaml:2:43: policy 'hall' expired");
  }
  t.end();
});

await t.test('a manifest that says it in another way is none', (t) => {
  const text = manifestText(POLICIES, KEYS);
  for (const other of [
    text.replace('hall 7', 'hall 07'),
    text.replace('key ', 'key  '),
    text.replace('\npolicy never', '\n\npolicy never'),
    `${text}\n`,
    text.replace(/\nkey .*/, '$&$&'),
    text.replace('v1', 'v2'),
    'tidegate-manifest/v1\n',
    text.replace(/policy .*\n/, ''),
    `${text}key 0123456789abcdef k\n`,
  ]) {
    t.notMatch(check({ manifest: signNote(other, [alice, bob]) }), /^by/, other);
  }
  t.notMatch(check({ manifest: NOTE.replace(/\n$/, '') }), /^by/);
  t.notMatch(check({ manifest: '' }), /^by/);
  t.end();
});

const PARSED = POLICIES.map(({ file, text }) => parsePolicy(text, file));

/** The bytes with one bit turned round, read as text as a file is. */
function flip(text: string, bit: number): string {
  const bytes = Buffer.from(text);
  const at = bit % (8 * bytes.length);
  bytes[at >> 3]! ^= 1 << (at & 7);
  return bytes.toString('utf8');
}

await t.test('one bit of the manifest, a signature or a file: refused', (t) => {
  for (let at = 0; at < Buffer.byteLength(NOTE); at++) {
    const bit = 8 * at + (at & 7);
    const said = check({ manifest: flip(NOTE, bit), parsed: PARSED });
    if (said.startsWith('by')) t.fail(`bit ${bit} of the manifest`);
  }
  fc.assert(
    fc.property(
      fc.nat(),
      (bit) => !check({ manifest: flip(NOTE, bit), parsed: PARSED }).startsWith('by'),
    ),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.nat(), fc.nat(1), (bit, file) => {
      const policies = POLICIES.map((policy, i) =>
        i === file ? { ...policy, text: flip(policy.text, bit) } : policy,
      );
      return !check({ policies }).startsWith('by');
    }),
    { numRuns: 100 },
  );
  t.equal(check(), 'by alice and bob@plant');
  t.end();
});

await t.test('openssl finds the signatures right, and a changed text not', (t) => {
  const end = NOTE.indexOf('\n\n') + 1;
  const lines = NOTE.slice(end + 1)
    .trimEnd()
    .split('\n');
  const directory = t.testdir({});
  const put = (name: string, bytes: string | Uint8Array): string => {
    writeFileSync(join(directory, name), bytes);
    return join(directory, name);
  };
  [alice, bob].forEach((signer, i) => {
    const key = put(
      'key',
      createPublicKey(signer.privateKey).export({ type: 'spki', format: 'pem' }),
    );
    const bytes = Buffer.from(lines[i]!.split(' ')[2]!, 'base64');
    const verify = (text: string): string =>
      execFileSync(
        'openssl',
        ['pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', key].concat([
          '-in',
          put('text', text),
          '-sigfile',
          put('signature', bytes.subarray(4)),
        ]),
        { encoding: 'utf8', stdio: 'pipe' },
      );
    t.match(verify(NOTE.slice(0, end)), 'Signature Verified Successfully');
    t.throws(() => verify(flip(NOTE.slice(0, end), 500)));
  });
  t.end();
});
