import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { checkProof, ProofError } from '../../src/audit/proof-file.js';
import { LeafError } from '../../src/audit/leaf.js';
import { audit } from '../../src/cli/audit.js';
import { commitmentOf, openingOf } from '../../src/journal/commitment.js';
import { formatHeader, parseHeader, RELAY } from '../../src/journal/format.js';
import { formatVerifier, NoteError, parseNote, signNote } from '../../src/note/note.js';
import {
  checkpointOf,
  longStory,
  makeSigner,
  SALT,
  type Sent,
  Story,
  writeLog,
} from '../audit/build.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const signer = makeSigner();
const KEY = formatVerifier(signer);

const PUBLIC = 'journal/public/0000000000000001-00000001.tgj';
const ARCHIVE = 'journal/archive/0000000000000001-00000001.tgj';

/** Of a verdict in JSON. */
interface AuditVerdict {
  readonly findings: readonly { readonly message: string }[];
  readonly opened: object;
}

const CONFIG = `schema: tidegate/v1
state: ./state
lowers:
  plant: { host: 127.0.0.1, port: 9598, user: relay, password_file: password }
policies: [policy.yaml]
channels: { public: {} }
uppers:
  portal:
    channel: public
    host: upper.example
    port: 9599
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
`;

/** Runs the command in this process; `./` is the test's directory. */
async function run(directory: string, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await audit(
    args.map((arg) => arg.replace(/^\.\//, `${directory}/`)),
    {
      out: (line) => out.push(...line.replaceAll(directory, '.').split('\n')),
      err: (line) => err.push(line.replaceAll(directory, '.')),
    },
  );
  return { status, out, text: out.join('\n'), err: err.join('\n') };
}

function logIn(t: Test, story = longStory(signer)): string {
  const directory = t.testdir({ 'key.pub': `# the relay's\n${KEY}\n` });
  story.write(join(directory, 'audit'));
  story.writeJournals(join(directory, 'journal'));
  return directory;
}

await t.test('verify gives a verdict that a person can read, and one in JSON', async (t) => {
  const directory = logIn(t);
  const where = ['verify', './audit', '--key'];
  const human = await run(directory, ...where, './key.pub', '--journal', './journal');
  t.same([human.status, human.err], [0, '']);
  t.match(human.text, /^log relay\.example: \d+ leaves, root \S+=$/m);
  t.match(human.text, /^signed by relay\.example\+[0-9a-f]{8}$/m);
  t.match(human.text, /leaf 1: p revision 1; signed by nobody$/m);
  t.match(human.text, /^ {2}public {2}p\/a +16$/m);
  t.match(human.text, /^ {2}south {2}p\/c +3$/m);
  t.match(human.text, /^ {2}north {2}overflow +8$/m);
  t.match(human.text, /5 min: the gate had been killed$/m);
  t.match(human.text, /^contents of the journal: \d+ ranges right, 0 not held any more$/m);
  t.equal(human.out.at(-1), 'audit OK');
  t.notMatch(human.text, '\x1b');
  const json = await run(directory, ...where, KEY, '--json');
  t.match(JSON.parse(json.text), { ok: true, boots: 2, faults: 0, findings: [] });

  const other = await run(directory, ...where, formatVerifier(makeSigner()));
  t.equal(other.status, 1);
  t.match(other.text, /^fault: signature: the checkpoint is signed by .*, by no key asked for$/m);
  t.equal(other.out.at(-1), 'audit NOT OK: 1 fault');
});

await t.test('verify: older checkpoints, witnesses, signers, gaps', async (t) => {
  const story = longStory(signer);
  const directory = logIn(t, story);
  const half = checkpointOf(story.leaves.slice(0, 9), [signer]);
  writeFileSync(join(directory, 'older'), half);
  writeFileSync(join(directory, 'seen'), `${half}\n99 ${half.split('\n')[2]}\n`);
  const where = ['verify', './audit', '--key', KEY];
  t.match((await run(directory, ...where, '--since', './older')).text, /^judged from leaf 9 on$/m);
  const seen = await run(directory, ...where, '--witness', './seen');
  t.match(seen.text, /^fault: witness: the log was cut: a witness has seen 99 leaves/m);
  const unsigned = await run(directory, ...where, '--signer', KEY, '--json');
  t.match(JSON.parse(unsigned.text), { ok: false, findings: [{ what: 'policy', leaf: 1 }, {}] });
  writeFileSync(join(directory, 'bad'), 'nothing here\n');
  t.match((await run(directory, ...where, '--witness', './bad')).err, /bad: line 1 is no size/);
  writeFileSync(join(directory, 'bad'), '');
  const empty = await run(directory, ...where, '--witness', './seen', '--witness', './bad');
  t.match([empty.status, empty.text, empty.err], [1, '', /bad: there is no size and root in it/]);
  t.match((await run(directory, ...where, '--since', './none')).err, /there is no file \.\/none/);
  const silent = new Story(signer).start();
  silent.time += 70_000;
  silent.heartbeat().write(join(directory, 'silent'));
  const gap = ['verify', './silent', '--key', KEY];
  t.match((await run(directory, ...gap)).text, /^fault: gap, leaf 1: for 130 s/m);
  const allowed = await run(directory, ...gap, '--allow-gaps');
  t.equal(allowed.status, 0);
  t.match(allowed.text, /^without a leaf, although a gate was running\n {2}from .* leaf 1$/m);
});

await t.test('verify: contents that are not those of the log', async (t) => {
  const directory = logIn(t);
  const file = join(directory, PUBLIC);
  const parsed = parseHeader(readFileSync(file))!;
  const behind = readFileSync(file).subarray(parsed.length);
  const changed = readFileSync(file, 'latin1').replace(SALT, SALT.replace('0011', '1100'));
  writeFileSync(file, Buffer.from(changed, 'latin1'));
  const where = ['verify', './audit', '--key', KEY, '--journal', './journal'];
  // The header's checksum does not fit any more: the journal cannot be read.
  t.match((await run(directory, ...where)).text, /public 1 to \d+: .* not hold them, or cannot be/);
  const { header, length } = parseHeader(readFileSync(join(directory, ARCHIVE)))!;
  const { salt, ...unsalted } = header;
  t.equal(salt, SALT);
  const rest = readFileSync(join(directory, ARCHIVE)).subarray(length);
  writeFileSync(join(directory, ARCHIVE), Buffer.concat([formatHeader(unsalted), rest]));
  t.match((await run(directory, ...where)).text, /archive 1 to 1: their segment holds no salt$/m);
  const renamed = { rules: ['p/a', 'p/c', 'p/b'], sources: ['north', 'east'] };
  for (const [what, names] of Object.entries(renamed)) {
    writeFileSync(
      join(directory, PUBLIC),
      Buffer.concat([formatHeader({ ...parsed.header, [what]: names }), behind]),
    );
    const { text } = await run(directory, ...where);
    t.match(text, / another name for (?:rule p\/b|source south)$/m, what);
    t.notMatch(text, / another name for (?:rule p\/a|source north)$/m);
  }
  const lines = longStory(signer, 4);
  lines.records.set('archive', lines.records.get('public/urgent')!.slice());
  lines.writeJournals(join(directory, 'journal'));
  const wrong = await run(directory, ...where);
  t.equal(wrong.status, 1);
  t.match(wrong.text, /^fault: opening, leaf \d+: archive 1 to 1: the journal holds other/m);
});

await t.test('verify: a journal holds what the log names, and nothing else', async (t) => {
  const story = longStory(signer);
  const directory = logIn(t, story);
  const verify = async (journal = './journal', ...more: string[]) => {
    const where = ['./audit', '--key', KEY, '--journal', journal, ...more];
    const { status, text, err } = await run(directory, 'verify', ...where, '--json');
    if (text === '') return { status, err };
    const { findings, opened } = JSON.parse(text) as AuditVerdict;
    return { status, findings: findings.map(({ message }) => message), opened };
  };
  const again = (of: Story, expired = 0): void => {
    rmSync(join(directory, 'journal'), { recursive: true });
    of.writeJournals(join(directory, 'journal'), expired);
  };
  const fine = { status: 0, findings: [], opened: { gone: 0, unshown: 0 } };
  t.match(await verify(), fine);
  t.match(await verify('./journal/archive'), { status: 0, opened: { right: 4 } });
  for (const none of ['./none', './audit']) {
    t.match(await verify(none), { status: 1, err: /holds no journal|there is no directory/ });
  }

  again(story, 2);
  t.match(await verify(), { status: 0, findings: [], opened: { gone: 5 } }, 'retention');
  again(story, 3);
  t.match(await verify(), { findings: [/^public 3 to 4: the journal does not hold them/] });

  const less = longStory(signer);
  less.records.get('public')!.splice(-3);
  again(less);
  const cut = /^public 19 to 21: the journal does not hold them, or cannot be read; retention/;
  t.match(await verify(), { status: 1, findings: [cut] });
  writeLog(join(directory, 'audit'), story.leaves.slice(0, -2), [signer]);
  const killed = { status: 0, findings: [], opened: { unshown: 1, gone: 0 } };
  t.match(await verify(), killed, 'a kill may have left it so');
  less.records.get('public')!.splice(-3);
  again(less);
  t.match(await verify(), { status: 1, findings: [/^public 16 to 21: the journal does not/] });
  again(story);

  const half = story.leaves.length >> 1;
  const behind = [/^public \d+ to 21: .* no leaf names them/];
  writeLog(join(directory, 'audit'), story.leaves.slice(0, -4), [signer]);
  t.match(await verify(), { status: 1, findings: behind }, 'the log was cut');
  const [signed, unsigned] = [story.leaves.slice(0, half), story.leaves.slice(half)];
  writeLog(join(directory, 'audit'), signed, [signer], unsigned);
  t.match(await verify(), fine, 'leaves that nobody has signed yet explain it');
  writeLog(join(directory, 'audit'), signed, [signer], unsigned.slice(0, -4));
  t.match(await verify(), { status: 1, findings: behind });

  story.write(join(directory, 'audit'));
  const more = longStory(signer);
  more.records.set('other', story.records.get('archive')!);
  again(more);
  t.match(await verify(), { status: 1, findings: [/^other 1 to 4: .* no leaf names them/] });
  again(story);
  rmSync(join(directory, 'journal/public/urgent'), { recursive: true });
  t.match(await verify(), { status: 1, findings: [/^public\/urgent 1 to 4: .* not hold them/] });

  const anew = new Story(signer);
  anew.sequences.set(story.sequences);
  for (const [name, records] of story.records) anew.records.set(name, [...records]);
  anew.start().policies().forward([{}]).write(join(directory, 'audit'));
  again(anew);
  const before = ['public/urgent 1 to 4', 'public 1 to 21', 'archive 1 to 4'];
  const { findings = [] } = await verify();
  t.same(findings.slice(1).sort(), [
    ...before
      .map((each) => `${each}: the log begins behind them: they are in another log, or in none`)
      .sort(),
  ]);
  t.match(findings[0], /^the log begins behind public\/urgent 4, public 21, archive 4: /);
  t.match(await verify('./journal', '--begins-late'), { status: 0, findings: [] });

  const fewer = { channels: ['public'], journals: ['public/urgent', 'public'] };
  story.start({ ...fewer, sums: [story.whole().sums[0]!], sequences: [4, 21] });
  story.write(join(directory, 'audit'));
  again(story);
  rmSync(join(directory, 'journal/archive'), { recursive: true });
  t.match(await verify(), { status: 0, opened: { gone: 4 } }, 'a channel that was given up');
});

await t.test(
  'a record that says otherwise than its leaf, though the commitment fits',
  async (t) => {
    const guid = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
    const line = (pair: string): string => `96,${pair},0,,1,${guid},1,2`;
    const said: Sent = { rule: 1, source: 1, line: line('10,6') };
    const others: Record<string, Sent> = {
      rule: { ...said, rule: 2 },
      source: { ...said, source: 0 },
      class: { ...said, line: line('20,6') },
      type: { ...said, line: line('10,7') },
      beacon: { ...said, rule: RELAY, source: RELAY },
    };
    for (const [what, other] of Object.entries(others)) {
      const [real] = new Story(signer).start().policies().forward([other]).records.get('public')!;
      const story = new Story(signer).start().policies();
      const { encoder } = story;
      const commit = (): Uint8Array => commitmentOf(openingOf(SALT, 1), real!);
      const encode = encoder.encode.bind(encoder);
      encoder.encode = (index, heading, pending, ...rest) =>
        encode(
          index,
          heading,
          pending.map((each) => ({ ...each, commit })),
          ...rest,
        );
      story.forward([said]).records.set('public', [real!]);
      const directory = logIn(t, story);
      const where = ['./audit', '--journal'];
      const key = ['--key', KEY];
      const { status, text } = await run(directory, 'verify', ...where, './journal', ...key);
      t.match(
        [status, text],
        [1, /public 1 to 1: 1 has another rule, source, class or type/],
        what,
      );
      const open = ['--open', './journal', '-o', './proof'];
      await run(directory, 'prove', '1', ...where, 'public', ...open);
      t.match(
        (await run(directory, 'check-proof', './proof', ...key)).text,
        /^NOT proven: .* record 1 has/,
      );
    }
  },
);

await t.test('verify: a log that gives no verdict gives one in JSON', async (t) => {
  const directory = t.testdir({ audit: {} });
  const where = ['verify', './audit', '--key', KEY];
  const { status, text, err } = await run(directory, ...where, '--json');
  const findings = [{ what: 'checkpoint', message: /audit holds no checkpoint/ }];
  t.match([status, err, JSON.parse(text)], [1, '', { ok: false, findings, faults: 1 }]);
  t.match((await run(directory, ...where)).err, /audit holds no checkpoint/);
});

await t.test('show prints decisions, and what it is asked for', async (t) => {
  const directory = logIn(t);
  const all = await run(directory, 'show', './audit');
  t.equal(all.status, 0);
  t.match(all.out[0], /^ {7}0 {2}2026-06-01T12:00:00\.000Z {2}start {6}boot 0{15}1$/);
  t.match(all.text, /batch {6}public 2 {2}south {2}p\/b {2}CLASS1\.MEASUREMENT {2}TEMPERATURE$/m);
  t.match(all.text, /denials {4}3 from south, by p\/c$/m);
  t.match(all.text, /void {7}public from 9 on: EIO$/m);
  const only = async (...args: string[]) => (await run(directory, 'show', './audit', ...args)).out;
  t.equal((await only('--kind', 'policies', '--kind', 'stop')).length, 3);
  t.ok((await only('--rule', 'p/b')).every((line) => line.includes('p/b')));
  t.equal((await only('--rule', 'p/b')).length, 4);
  t.ok(
    (await only('--source', 'south', '--kind', 'batch')).every((line) => line.includes(' south ')),
  );
  t.equal((await only('--until', '2026-06-01T12:00:00Z')).length, 2);
  t.match((await only('--since', '2026-06-01T12:13:00Z')).at(-1), /stop/);
  const json = (await only('--json', '--kind', 'batch', '--rule', 'p/b'))[0]!;
  t.match(JSON.parse(json), { leaf: 2, kind: 'batch', journal: 'public', first: 2, last: 2 });
  const nasty = new Story(signer).start().policies(1, { digest: '\x1b[2J\u202e' });
  nasty.write(join(directory, 'nasty'));
  for (const form of [[], ['--json']]) {
    t.notMatch((await run(directory, 'show', './nasty', ...form)).text, /\x1b|\u202e/);
  }
});

await t.test('prove and check-proof', async (t) => {
  const directory = logIn(t);
  const prove = (...args: string[]) => run(directory, 'prove', ...args);
  const check = (...args: string[]) => run(directory, 'check-proof', ...args);
  const journal = ['--journal', 'public'];
  const made = await prove('2', './audit', ...journal, '-o', './proof');
  t.same([made.status, made.text, made.err], [0, '', '']);
  const proven = await check('./proof', '--key', './key.pub');
  t.equal(proven.status, 0);
  t.match(proven.text, /^record {5}public 2\nsource {5}south\nrule {7}p\/b$/m);
  t.match(proven.text, /^sent as {4}CLASS1\.MEASUREMENT TEMPERATURE$/m);
  t.equal(proven.out.at(-1), 'proven');
  t.notMatch(proven.text, /^event/m);
  const open = [...journal, '--open', './journal'];
  const opened = await prove('2', './audit', ...open, '-o', './opened');
  t.equal(opened.status, 0);
  t.match((await check('./opened', '--key', KEY)).text, /^event {6}96,10,6,0,,\d+,FF:.*,1,2,3$/m);
  const json = JSON.parse((await check('./opened', '--key', KEY, '--json')).text) as object;
  t.match(json, { proven: true, rule: 'p/b', policies: { files: [{ id: 'p', revision: 1 }] } });
  t.equal((await prove('1', './audit', '--journal', 'public/urgent')).status, 0);

  t.match((await prove('9999', './audit', ...journal)).err, 'no leaf names public 9999');
  t.match(
    (await prove('1', './audit', '--journal', 'else')).err,
    /no journal else in the log; the/,
  );
  const gone = await prove('2', './audit', ...journal, '--open', './none');
  t.match(gone.err, /none does not hold all of public 1 to 2 any more/);
  t.match((await check('./proof', '--key', formatVerifier(makeSigner()))).text, /^NOT proven: the/);
  const foreign = makeSigner('relay.other');
  const whole = JSON.parse(readFileSync(join(directory, 'proof'), 'utf8')) as {
    checkpoint: string;
  };
  const checkpoint = signNote(parseNote(whole.checkpoint).text, [foreign]);
  writeFileSync(join(directory, 'foreign'), JSON.stringify({ ...whole, checkpoint }));
  const keys = ['--key', KEY, '--key', formatVerifier(foreign)];
  const { status: unproven, text: why } = await check('./foreign', ...keys);
  t.same([unproven, why], [1, 'NOT proven: the key has another name than the log, relay.example']);
  const text = readFileSync(join(directory, 'opened'), 'utf8');
  const wrong = async (what: string, changed: string) => {
    writeFileSync(join(directory, 'changed'), changed);
    const { status, text } = await check('./changed', '--key', KEY);
    t.same([status, text], [1, `NOT proven: ${what}`]);
  };
  await wrong('leaf 2 does not name public 3', text.replace('"sequence":2', '"sequence":3'));
  await wrong(
    'leaf 2 does not name else 2',
    text.replace('"journal":"public"', '"journal":"else"'),
  );
  await wrong('the proof is no JSON', text.slice(1));
  const file = JSON.parse(text) as Record<'batch' | 'start' | 'policies' | 'opened', object>;
  await wrong(
    'the start is not the one that the batch refers to',
    JSON.stringify({ ...file, start: file.policies }),
  );
  await wrong('leaf 1 is no batch', JSON.stringify({ ...file, batch: file.policies }));
  await wrong(
    'the content is not what the log commits to',
    JSON.stringify({ ...file, opened: { ...file.opened, records: '' } }),
  );
  await wrong(
    'the leaf of the batch is not in the log that is signed',
    JSON.stringify({ ...file, batch: { ...file.batch, index: 3 } }),
  );
  const change = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 32, max: 126 })), {
    minLength: 1,
    maxLength: 3,
  });
  let refused = 0;
  fc.assert(
    fc.property(change, fc.boolean(), (changes, cut) => {
      const bytes = Buffer.from(text);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const [[end]] = changes as [[number, number]];
      try {
        checkProof(bytes.toString('utf8', 0, cut ? end % bytes.length : bytes.length), [signer]);
      } catch (error) {
        const own = [ProofError, NoteError, LeafError].some((each) => error instanceof each);
        if (!own) throw error;
        refused++;
      }
    }),
    { numRuns: 500 },
  );
  t.ok(refused > 300, `${refused} refused`);
});

await t.test(
  'prove says nothing of what was taken back, and of a batch that is not whole',
  async (t) => {
    const story = new Story(signer).start().policies().forward([{}]).forward([{}, {}]);
    story.takeBack('public', 2).forward([{ rule: 1 }]);
    const directory = logIn(t, story);
    const prove = (sequence: string) =>
      run(directory, 'prove', sequence, './audit', '--journal', 'public', '-o', './proof');
    t.equal((await prove('2')).status, 0);
    t.match((await run(directory, 'check-proof', './proof', '--key', KEY)).text, /^rule {7}p\/b$/m);
    t.match((await prove('3')).err, 'no leaf names public 3');
    const many = Array.from({ length: 1100 }, (_, i) => ({
      line: `96,10,${i},0,,1,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1`,
    }));
    const half = new Story(signer)
      .start()
      .policies()
      .forward(many, (parts) => parts.slice(0, 1));
    half.write(join(directory, 'half'));
    const cut = await run(directory, 'prove', '1', './half', '--journal', 'public');
    t.match(cut.err, /the batch of public 1 is not whole in the log yet/);
  },
);

await t.test('check-proof believes no names of signers', async (t) => {
  const people = [makeSigner('alice'), makeSigner('bob')];
  const names = people.map(({ name, id }) => `${name}+${id}`).join(', ');
  const signers = people.map(({ name, id }) => ({ name, id }));
  const digest = 'a'.repeat(64);
  const text = `tidegate-manifest/v1\ntables ${digest}\npolicy p 1 never ${digest}\n`;
  const demand = { signers: { keys: people.map(formatVerifier), threshold: 2 } };
  const over = { files: [{ id: 'p', revision: 1, sha256: digest, expires: '2020-01-01' }] };
  const told = async (start: object, policies: object, ...more: string[]) => {
    const story = new Story(signer).start(start).policies(1, policies).forward([{}]);
    const directory = logIn(t, story);
    const journal = ['--journal', 'public', '-o', './proof'];
    t.equal((await run(directory, 'prove', '1', './audit', ...journal)).status, 0);
    return {
      verify: await run(directory, 'verify', './audit', '--key', KEY, ...more),
      check: await run(directory, 'check-proof', './proof', '--key', KEY),
    };
  };
  const right = { signers, manifest: signNote(text, people) };
  const proven = await told(demand, right);
  t.ok(proven.check.text.includes(`signed by  ${names}, by keys that the log names\n`));
  t.ok(proven.verify.text.includes(`signed by ${names}, by keys that the log names\n`));
  const claimed = await told(demand, { signers });
  t.same([claimed.check.status, claimed.verify.status], [1, 1]);
  t.match(claimed.check.text, /^NOT proven: the leaf holds no manifest that anybody signed$/);
  t.ok(claimed.verify.text.includes(`says the log, not verified: signed by ${names}\n`));
  const few = await told(demand, { signers, manifest: signNote(text, people.slice(1)) });
  t.match(few.check.text, /^NOT proven: the policies are signed by 1 of the 2 that are needed/);
  const free = await told({}, { signers });
  t.ok(free.check.text.includes(`signed by  not verified; the log says ${names}\n`));
  t.equal(free.check.status, 0, 'nobody had to sign');
  const late = await told({}, over);
  t.match(late.check.text, /^NOT proven: the last day of the policies was over: 2019-12-31$/);
  const asked = people.flatMap((person) => ['--signer', formatVerifier(person)]);
  const { verify } = await told(demand, right, ...asked);
  t.ok(verify.text.includes(`p revision 1; signed by ${names}\n`), 'by the keys asked for');
  const again = makeSigner('alice');
  const alone = ['--signer', formatVerifier(again), '--signer', formatVerifier(people[0]!)];
  t.equal((await told(demand, right, ...alone)).verify.status, 0, 'keys of one name are one');
  const two = await told(demand, right, ...alone, '--threshold', '2');
  t.match(two.verify.err, /--threshold "2" is more than there are signers/);
});

await t.test('verify says where a log begins, how it ends, and steps of the clock', async (t) => {
  const story = new Story(signer);
  story.sequences[2] = 6364;
  story.start().policies();
  story.time += 5000;
  story.plain({ kind: 'clock', by: 5000 });
  const directory = logIn(t, story);
  const where = ['verify', './audit', '--key', KEY];
  const strict = await run(directory, ...where);
  t.equal(strict.status, 1);
  t.match(strict.text, /^fault: boot, leaf 0: the log begins behind public 6364: .*--begins-late/m);
  const known = await run(directory, ...where, '--begins-late');
  t.equal(known.status, 0);
  t.match(known.text, /^begins behind public 6364: what went before is not in it$/m);
  t.match(known.text, /^ends with no stop: the gate runs, or was killed; its last leaf is \d+ d /m);
  t.match(known.text, /^clock set 1 time, the most by 5 s forward, leaf 2$/m);
});

await t.test('reconcile finds what is missing, extra, or no event', async (t) => {
  const story = new Story(signer).start().policies().forward([{}, {}, {}]);
  const guid = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
  story.forward([{ line: `96,10,1,0,,1,${guid},1` }, { journal: 'archive' }]);
  const directory = logIn(t, story);
  const received = async (lines: readonly string[], ...args: string[]) => {
    writeFileSync(join(directory, 'received'), lines.join('\n'));
    const which = ['--channel', 'public', '--received', './received'];
    return run(directory, 'reconcile', './audit', ...which, ...args);
  };
  const line = (type: number): string => `96,10,${type},0,2026-06-01T12:00:00Z,5,${guid},1,2`;
  const all = [line(6), `SEND ${line(6)}`, `send,${line(6)}\r`, line(1).replace('10', '0x0A')];
  const right = await received([...all, '']);
  t.same(
    [right.status, right.out],
    [0, ['4 forwarded, 4 received', 'reconciled: 0 missing, 0 extra']],
  );
  const missing = await received(all.slice(1));
  t.equal(missing.status, 1);
  t.match(missing.text, /^ {2}CLASS1\.MEASUREMENT TEMPERATURE +3 +2 +-1$/m);
  t.match(missing.text, /^NOT reconciled: 1 missing, 0 extra$/m);
  const extra = [...all, line(1), line(7), 'hello', '+OK', `96,10,6,0,,5,not a guid`];
  t.equal((await received(extra)).status, 1);
  const allowed = await received(extra, '--repeats', '2');
  t.equal(allowed.status, 0);
  t.match(allowed.text, /^3 lines no events; the first: 7, 8, 9$/m);
  t.match(JSON.parse((await received(extra, '--json')).text), {
    ok: false,
    missing: 0,
    extra: 2,
    unreadable: 3,
    differences: [
      { type: 'COUNT', forwarded: 1, received: 2 },
      { forwarded: 0, received: 1 },
    ],
  });
  const unnamed = await run(directory, 'reconcile', './audit', '--received', './received');
  t.match([unnamed.status, unnamed.err], [2, /name a channel: --channel public, archive/]);
});

await t.test(
  'a command line that is wrong, a log that is not there, a configuration',
  async (t) => {
    const directory = logIn(t);
    const wrong: [RegExp, ...string[]][] = [
      [/a command is missing: verify, show, prove, check-proof, reconcile, beacons/],
      [/--key PUBLIC is missing/, 'verify', './audit'],
      [/--key: a public key is/, 'verify', './audit', '--key', 'x+00000000+y!'],
      [/holds no key/, 'verify', './audit', '--key', './empty'],
      [/--threshold says how many/, 'verify', './audit', '--key', KEY, '--threshold', '2'],
      [
        /more than there are signers/,
        'verify',
        './audit',
        '--key',
        KEY,
        '--signer',
        KEY,
        '--threshold',
        '2',
      ],
      [/--kind takes start, stop/, 'show', './audit', '--kind', 'x'],
      [/--since "x" is no time/, 'show', './audit', '--since', 'x'],
      [/a sequence is missing/, 'prove'],
      [/whole number from 1 on, not "0"/, 'prove', '0', './audit', '--journal', 'public'],
      [/--journal is missing/, 'prove', '1', './audit'],
      [/--journal takes CHANNEL/, 'prove', '1', './audit', '--journal', '../x'],
      [/a proof is missing/, 'check-proof', '--key', KEY],
      [/--received FILE is missing/, 'reconcile', './audit'],
      [/unexpected argument/, 'show', './audit', 'more'],
    ];
    writeFileSync(join(directory, 'empty'), '# none\n');
    for (const [message, ...args] of wrong) {
      const { status, err } = await run(directory, ...args);
      t.match([status, err], [2, message], args.join(' '));
    }
    mkdirSync(join(directory, 'nothing'));
    const none = await run(directory, 'show', './nothing');
    t.match([none.status, none.err], [1, /nothing holds no checkpoint: name the directory/]);
    t.match((await run(directory, 'show', '-c', './none.yaml')).status, 1);
    writeFileSync(join(directory, 'tidegate.yaml'), CONFIG);
    longStory(signer).write(join(directory, 'state/audit'));
    t.equal((await run(directory, 'verify', '-c', './tidegate.yaml', '--key', KEY)).status, 0);
    for (const command of ['verify', 'show', 'prove', 'check-proof', 'reconcile']) {
      const help = await run(directory, command, '--help');
      t.match([help.status, help.text], [0, `tidegate audit ${command} - `]);
      for (const line of help.out) t.ok(line.length <= 100, line);
    }
    const real = spawnSync(
      process.execPath,
      [MAIN, 'audit', 'verify', join(directory, 'audit'), '--key', KEY],
      { encoding: 'utf8' },
    );
    t.same([real.status, real.stderr], [0, '']);
    t.match(real.stdout, /^audit OK$/m);
  },
);
