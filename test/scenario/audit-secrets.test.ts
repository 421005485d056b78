/** Nothing of what events hold is in the audit log, in no form that somebody might look for; nor is any secret. */
import { createHash, createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readU32 } from '../../src/event/layout.js';
import { bodyOf, LENGTH, readU64, SEQUENCE } from '../../src/journal/format.js';
import { JournalReader } from '../../src/journal/reader.js';
import { FakeLower } from '../fake/lower.js';
import { FakeUpper } from '../fake/upper.js';
import { leavesOf, logOf, verifyWell } from './auditor.js';
import { startRelay } from './relay.js';

const LOWER_PASSWORD = 'lowersesame password for tomorrow';
const UPPER_PASSWORD = 'uppersesame correct horse';
const KEY = 'f00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dfacef00dface';

/** By rule: what is kept as it is, what is replaced, what is denied by a rule, and by none. */
const POLICY = `schema: tidegate-policy/v1
policy: { id: some, revision: 1 }
rules:
  - { name: kept, effect: permit, to: [public], match: { class: 10, type: 6 } }
  - name: replaced
    effect: permit
    to: [public]
    match: { class: 10, type: 35 }
    emit: { guid: { pseudonym: { key_file: pseudonym.key, prefix: '02:52:4C:59/32' } }, data: keep }
  - { name: never, effect: forbid, match: { class: 20 } }
`;

interface Secret {
  readonly pair: string;
  readonly obid: number;
  readonly time: string;
  readonly stamp: number;
  readonly guid: string;
  readonly data: readonly number[];
}

/** Each with values of its own, six bytes and more: none is there by chance. */
const SECRETS: readonly Secret[] = ['10,6', '10,35', '20,3', '30,1'].map((pair, i) => ({
  pair,
  obid: 2_718_281_828 + i * 1_111_111,
  time: `203${i + 1}-07-1${i}T05:06:0${i}Z`,
  stamp: 3_141_592_653 + i * 7_777_777,
  guid: Buffer.from(`fffffffffffffffebeefca${i}ede${i}a99c${i}`, 'hex')
    .toString('hex')
    .toUpperCase()
    .replace(/..(?=.)/g, '$&:'),
  data: [0x9d, 0xe1, 0x7a + i, 0xb3, 0xd2, 0x6e + i, 0xc9, 0xa7],
}));

const lineOf = ({ pair, obid, time, stamp, guid, data }: Secret): string =>
  `96,${pair},${obid},${time},${stamp},${guid},${data.join(',')}`;

const u32 = (value: number, little = false): Buffer => {
  const bytes = Buffer.alloc(4);
  if (little) bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
};

/** All files below, one behind the other. */
function contentOf(directory: string): Buffer {
  return Buffer.concat(
    readdirSync(directory).flatMap((name) => {
      const path = join(directory, name);
      if (statSync(path).isDirectory()) return [contentOf(path)];
      return [Buffer.from(`\n${name}\n`), readFileSync(path)];
    }),
  );
}

/** Bytes as somebody might have written them: as they are, in digits, in base64 at any place. */
function formsOf(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex');
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    // What the neighbours have no part in.
    return text.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + bytes.length) * 8) / 6));
  });
  const decimal = [...bytes].join(',');
  const texts = [hex, hex.toUpperCase(), hex.replace(/..(?=.)/g, '$&:'), decimal, ...base64];
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}

const textForms = (text: string): Buffer[] => formsOf(Buffer.from(text));

await t.test('a log of events that hold secrets', async (t) => {
  const directory = t.testdir({});
  writeFileSync(join(directory, 'pseudonym.key'), KEY, { mode: 0o600 });
  const lower = await FakeLower.start({ kind: 'vscpd-14', password: LOWER_PASSWORD });
  const upper = await FakeUpper.start({ password: UPPER_PASSWORD });
  t.teardown(() => Promise.all([lower.close(), upper.close()]));
  const relay = await startRelay(t, {
    directory,
    policy: POLICY,
    lowers: [{ name: 'plant', port: lower.port, password: LOWER_PASSWORD }],
    uppers: [{ name: 'portal', port: upper.port, window: 50, password: UPPER_PASSWORD }],
  });
  await relay.untilUp();
  await lower.untilLoop();
  // The same, over and over, in batches of their own.
  for (let round = 1; round <= 4; round++) {
    lower.send(SECRETS.map(lineOf).join('\r\n'));
    const plant = () => relay.gate()!.sources['plant']!;
    await relay.until(() => plant().in === 4 * round, 'they are decided');
    await relay.until(() => upper.accepted.length === 2 * round, 'two go out, two do not');
  }
  const [kept] = SECRETS;
  t.ok(upper.accepted.some((send) => send.includes(kept!.guid) && send.includes(kept!.time)));
  t.equal(await relay.stop(), 0);
  const { opened } = await verifyWell(t, relay.state);
  t.ok((opened?.right ?? 0) >= 4, 'who has the journal can open it');

  const log = contentOf(logOf(relay.state));
  t.ok(log.includes('some/kept') && log.includes('plant'), 'what is searched is the log');
  const absent = (what: string, forms: readonly Buffer[]): void => {
    const found = forms.filter((form) => log.includes(form));
    t.same(found.map(String), [], `${what} is not there`);
  };
  for (const secret of SECRETS) {
    const { pair, obid, time, stamp, guid, data } = secret;
    const bytes = Buffer.from(guid.replaceAll(':', ''), 'hex');
    const ms = Date.parse(time);
    absent(`${pair}: its data`, formsOf(Buffer.from(data)));
    absent(`${pair}: a part of its data`, formsOf(Buffer.from(data.slice(1, 7))));
    absent(`${pair}: its GUID`, [
      ...formsOf(bytes),
      ...formsOf(bytes.subarray(8)),
      Buffer.from(guid),
    ]);
    absent(`${pair}: its time`, [
      ...textForms(time),
      ...textForms(time.slice(0, 10)),
      Buffer.from(String(ms)),
      Buffer.from(String(ms / 1000)),
    ]);
    for (const number of [obid, stamp]) {
      const numbers = [u32(number), u32(number, true), Buffer.from(String(number))];
      absent(`${pair}: ${number}`, numbers);
    }
    absent(`${pair}: its line`, textForms(lineOf(secret)));
  }
  for (const send of new Set(upper.accepted)) {
    absent('what was sent', [...textForms(send), Buffer.from(send.split(',')[6]!)]);
  }

  const pem = readFileSync(join(relay.state, 'supervisor', 'audit.key'), 'utf8');
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  const own = Buffer.from(d, 'base64url');
  t.equal(own.length, 32);
  absent('the private key', [...formsOf(own), Buffer.from('PRIVATE'), Buffer.from(d)]);
  for (const secret of [LOWER_PASSWORD, UPPER_PASSWORD, KEY]) absent('a secret', textForms(secret));
  absent('the key of the pseudonyms', formsOf(Buffer.from(KEY, 'hex')));

  // Commitments are no digests that somebody who guesses an event could compare.
  const journal = join(relay.state, 'journal', 'public');
  const reader = new JournalReader(journal, { epoch: 0, sequence: 0 });
  let bodies = 0;
  for (let count; (count = reader.read()) > 0;) {
    const { buffer, offsets } = reader;
    for (let i = 0; i < count; i++) {
      const at = offsets[i]!;
      const end = at + readU32(buffer, at + LENGTH);
      const body = buffer.subarray(bodyOf(buffer, at), end - 4);
      for (const each of [buffer.subarray(at, end), body]) {
        const digest = createHash('sha256').update(each).digest();
        absent(`a digest of record ${readU64(buffer, at + SEQUENCE)}`, formsOf(digest));
      }
      absent('its content', formsOf(Buffer.from(body)));
      bodies++;
    }
  }
  reader.close();
  t.equal(bodies, 8);
  const commitments = leavesOf(relay.state, 'batch').flatMap(({ ranges }) =>
    ranges.map(({ commitment }) => Buffer.from(commitment).toString('hex')),
  );
  t.ok(commitments.length >= 4);
  t.equal(new Set(commitments).size, commitments.length, 'the same events, other commitments');
});
