/** keygen, sign and verify, as two people use them. */
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { askNew, askSecret, type Keyboard } from '../../src/cli/passphrase.js';
import { POLICY_KEYGEN_HELP, policyKeygen } from '../../src/cli/policy-keygen.js';
import { POLICY_SIGN_HELP, policySign } from '../../src/cli/policy-sign.js';
import { POLICY_VERIFY_HELP, policyVerify } from '../../src/cli/policy-verify.js';
import { formatKey } from '../../src/note/key.js';
import { keyOf, person, policyText, pseudonym } from '../signing/tools.js';

const [alice, bob] = [person('alice'), person('bob@plant')];
const NOW = Date.parse('2026-06-01T12:00:00Z');
const SECRET = 'correct horse';

type Said = Readonly<{ status: number; out: string; err: string }>;

/** Policies, keys of two people, and the commands; DIR in arguments is the directory of all. */
function bench(t: Test) {
  const directory = t.testdir({
    'hall.yaml': policyText('hall', 3, ', expires: 9999-12-31', pseudonym('k.key')),
    'never.yaml': policyText('never', 1).replace('permit', 'forbid'),
    'k.key': 'k'.repeat(40),
    'alice.key': formatKey(alice.privateKey, SECRET, 1000),
    'alice.key.pub': `${keyOf(alice)}\n`,
    'bob.key': formatKey(bob.privateKey),
    'bob.key.pub': `${keyOf(bob)}\n`,
    pass: `${SECRET}\n`,
  });
  const path = (name: string): string => join(directory, name);
  for (const name of ['k.key', 'alice.key', 'bob.key', 'pass']) chmodSync(path(name), 0o600);
  const asked: string[] = [];
  const run = async (
    command: typeof policySign,
    args: string,
    answers: readonly string[] = [],
  ): Promise<Said> => {
    const [out, err]: [string[], string[]] = [[], []];
    const left = [...answers];
    const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
    const ask = (prompt: string): Promise<string> => {
      // What is signed has been shown by then.
      asked.push(prompt.replaceAll(`${directory}/`, ''), out.join('\n'));
      return Promise.resolve(left.shift() ?? '');
    };
    const given = args.split(' ').map((arg) => arg.replace('DIR', directory));
    const status = await command(given, io, ask);
    const cut = (lines: string[]): string => lines.join('\n').replaceAll(`${directory}/`, '');
    return { status, out: cut(out), err: cut(err) };
  };
  return {
    path,
    asked,
    sign: (args: string, answers?: string[]) => run(policySign, args, answers),
    keygen: (args: string, answers?: string[]) => run(policyKeygen, args, answers),
    verify: (args: string) =>
      run((given, io) => Promise.resolve(policyVerify(given, io, NOW)), args),
  };
}

const FILES = 'DIR/hall.yaml DIR/never.yaml';
const BOTH = '-s DIR/alice.key.pub -s DIR/bob.key.pub';

await t.test('two people sign, one after the other', async (t) => {
  const { sign, verify, asked, path } = bench(t);
  const first = await sign(`${FILES} -k DIR/alice.key`, [SECRET]);
  t.match(first, { status: 0, err: '' });
  t.match(first.out, 'policy hall, revision 3, until 9999-12-31');
  t.match(first.out, `signed by alice+${alice.id}`);
  t.equal(asked[0], 'Passphrase of alice.key: ');
  t.match(asked[1], /policy never, revision 1, never expires\n +SHA-256 [0-9a-f]{64}/);
  const few = await verify(`${FILES} ${BOTH}`);
  t.equal(few.status, 1);
  t.match(few.out, `signed   alice+${alice.id}\nmissing  bob@plant+${bob.id}`);
  t.match(few.err, 'signed by 1 of the 2 that are needed');
  t.equal((await verify(`${FILES} ${BOTH} -t 1`)).status, 0);
  t.match((await sign(`${FILES} -k DIR/bob.key`)).out, /signed by alice\+.*, bob@plant\+/);
  t.match(await verify(`${FILES} ${BOTH}`), { status: 0, out: /signed by 2, 2 needed$/ });
  t.match(await verify(`${FILES} -s ${keyOf(bob)}`), { status: 0, out: /unknown {2}alice\+/ });
  const before = readFileSync(path('hall.yaml.manifest'), 'utf8');
  await sign(`${FILES} -k DIR/alice.key --passphrase-file DIR/pass`);
  const after = readFileSync(path('hall.yaml.manifest'), 'utf8');
  t.same(after.split('\n').sort(), before.split('\n').sort(), 'twice is once');
  t.notOk(readdirSync(path('.')).some((name) => name.endsWith('.tmp')));
});

await t.test('a change costs the signatures, and is named', async (t) => {
  const { sign, verify, path } = bench(t);
  await sign(`${FILES} -k DIR/alice.key --passphrase-file DIR/pass`);
  await sign(`${FILES} -k DIR/bob.key`);
  const text = readFileSync(path('hall.yaml'), 'utf8');
  writeFileSync(path('hall.yaml'), text.replace('revision: 3', 'revision: 4'));
  const { status, err } = await verify(`${FILES} ${BOTH}`);
  t.equal(status, 1);
  t.match(err, "policy 'hall' is not what was signed: revision 4 instead of 3");
  t.match(await verify(`DIR/never.yaml -m DIR/hall.yaml.manifest ${BOTH}`), { status: 1 });
  const again = await sign(`${FILES} -k DIR/bob.key`);
  t.match(again.err, /no longer signed by alice\+.*, bob@plant\+/);
  t.match(again.out, /signed by bob@plant\+[0-9a-f]{8}$/);
});

await t.test(
  'who has not the key of pseudonyms signs the manifest that another made',
  async (t) => {
    const { sign, verify, path } = bench(t);
    const made = await sign(FILES);
    t.match(made, { status: 0, out: /not signed: that takes --key$/ });
    t.match(await verify(`${FILES} ${BOTH}`), { status: 1, err: 'the note has no signature' });
    rmSync(path('k.key'));
    const signed = await sign(`${FILES} -k DIR/bob.key`);
    t.match(signed, { status: 0, out: /k\.key \(as the manifest says: not read here\)/ });
    rmSync(path('hall.yaml.manifest'));
    t.match(await sign(`${FILES} -k DIR/bob.key`), {
      status: 1,
      err: /^hall\.yaml:4:\d+: the key k\.key cannot be read here: make the manifest where it can/,
    });
  },
);

await t.test('what cannot be signed is not, and nothing is overwritten', async (t) => {
  const { sign, verify, path } = bench(t);
  const refused = async (args: string, words: RegExp | string, answers?: string[]) => {
    t.match(await sign(args, answers), { status: 1, err: words }, args);
  };
  await refused(`${FILES} -k DIR/alice.key`, 'alice.key: the passphrase is wrong', ['wrong']);
  await refused(`${FILES} -k DIR/none.key`, 'cannot read none.key: ENOENT');
  await refused(`${FILES} -k DIR/hall.yaml`, 'can be read by others');
  await refused('DIR/none.yaml -k DIR/bob.key', 'cannot read none.yaml: ENOENT');
  await refused(`${FILES} -k DIR/bob.key -m DIR/pass`, 'pass is no manifest of policies');
  writeFileSync(path('bob.key.pub'), keyOf(alice));
  await refused(`${FILES} -k DIR/bob.key`, 'bob.key.pub is not the public key of');
  rmSync(path('bob.key.pub'));
  await refused(`${FILES} -k DIR/bob.key`, 'say it with --name');
  t.notOk(existsSync(path('hall.yaml.manifest')));
  t.match(await verify(`${FILES} -s DIR/alice.key.pub`), {
    status: 1,
    err: 'there is no manifest',
  });
  t.match(await sign(`${FILES} -k DIR/bob.key -n robert`), { status: 0, out: /signed by robert/ });
  writeFileSync(path('hall.yaml'), policyText('hall', 3, ', expires: 2026-01-01'));
  await refused(`${FILES} -k DIR/bob.key`, 'expired');
  for (const args of ['', '-c x DIR/hall.yaml', 'DIR/hall.yaml -n bob', 'DIR/hall.yaml --kee x']) {
    await t.rejects(sign(args.trim() === '' ? '-k x' : args), { name: 'UsageError' }, args);
  }
  for (const args of ['DIR/hall.yaml', '-c x -s y', 'DIR/hall.yaml -s y -t 0']) {
    await t.rejects(async () => verify(args), { name: 'UsageError' }, args);
  }
});

await t.test('the configuration names the files, the signers and the threshold', async (t) => {
  const { sign, verify, path } = bench(t);
  const upper = 'channel: public, host: h, port: 1, user: u, password_file: p';
  writeFileSync(
    path('t.yaml'),
    `schema: tidegate/v1
state: ./state
lowers: { plant: { host: h, port: 1, user: u, password_file: p } }
policies: [hall.yaml, never.yaml]
policy_signers: { keys: [alice.key.pub, bob.key.pub], threshold: 2, manifest: both.manifest }
channels: { public: {} }
uppers: { x: { ${upper}, tls: { ca: a, cert: b, key: c } } }
`,
  );
  const one = await sign('-c DIR/t.yaml -k DIR/bob.key');
  t.match(one, { status: 0, out: /1 more needed, of alice\+/ });
  t.match(await verify('-c DIR/t.yaml'), { status: 1, err: /1 more of alice/ });
  const stranger = await sign('-c DIR/t.yaml -k DIR/bob.key -n mallory');
  t.match(stranger.err, /warning: mallory\+[0-9a-f]{8} counts for nothing/);
  const two = await sign('-c DIR/t.yaml -k DIR/alice.key --passphrase-file DIR/pass');
  t.match(two.out, /2 signatures of 2 needed: enough$/);
  t.match(await verify('-c DIR/t.yaml'), { status: 0 });
  t.ok(existsSync(path('both.manifest')));
});

await t.test('a key is made once, encrypted unless told otherwise', async (t) => {
  const { keygen, sign, path } = bench(t);
  const made = await keygen('-n carol -o DIR/carol.key', ['long enough', 'long enough']);
  t.equal(made.status, 0);
  t.match(made.out, /^carol\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$/);
  t.equal(readFileSync(path('carol.key.pub'), 'utf8'), `${made.out}\n`);
  t.equal(statSync(path('carol.key')).mode & 0o777, 0o600);
  t.match(readFileSync(path('carol.key'), 'utf8'), 'BEGIN ENCRYPTED PRIVATE KEY');
  t.match(await sign(`${FILES} -k DIR/carol.key`, ['long enough']), { status: 0 });
  t.match(await keygen('-n carol -o DIR/carol.key --no-passphrase'), {
    status: 1,
    err: 'carol.key already exists and is left as it is',
  });
  rmSync(path('carol.key'));
  t.match(await keygen('-n carol -o DIR/carol.key --no-passphrase'), { status: 1 });
  t.notOk(existsSync(path('carol.key')), 'both or neither');
  const plain = await keygen('-n dan -o DIR/dan.key --no-passphrase');
  t.match(plain, { status: 0, err: /NOT ENCRYPTED/ });
  t.match(await keygen('-n eve -o DIR/eve.key', ['long enough', 'long enougj']), {
    status: 1,
    err: 'the two differ: nothing is written',
  });
  t.match(await keygen('-n eve -o DIR/eve.key', ['short']), { err: /shorter than 8/ });
  t.notOk(existsSync(path('eve.key')));
  for (const args of ['-n a', '-o DIR/x', '-n a+b -o DIR/x', '-n a -o DIR/x -o DIR/y']) {
    await t.rejects(keygen(args), { name: 'UsageError' }, args);
  }
});

/** A terminal on which chunks are typed. */
class Typed implements Keyboard {
  isTTY = true;
  raw = false;
  readonly #chunks: string[];
  readonly #listeners = new Set<(text: string) => void>();

  constructor(...chunks: string[]) {
    this.#chunks = chunks;
  }

  setRawMode(raw: boolean): void {
    this.raw = raw;
  }

  setEncoding(): void {
    // Text already.
  }

  on(_: 'data', listener: (text: string) => void): void {
    this.#listeners.add(listener);
  }

  off(_: 'data', listener: (text: string) => void): void {
    this.#listeners.delete(listener);
  }

  resume(): void {
    while (this.#listeners.size > 0 && this.#chunks.length > 0) {
      const chunk = this.#chunks.shift()!;
      for (const listener of this.#listeners) listener(chunk);
    }
  }

  pause(): void {
    // Nothing is typed meanwhile.
  }

  unshift(text: string): void {
    this.#chunks.unshift(text);
  }
}

await t.test('a passphrase is typed unseen, with mistakes', async (t) => {
  const said: string[] = [];
  const ask = (keyboard: Typed) => askSecret('? ', keyboard, (text) => said.push(text));
  for (const [chunks, line] of [
    [['secret\r'], 'secret'],
    [['s', 'e', 'x\x7f', 'c\n'], 'sec'],
    [['wrong\x15right\r'], 'right'],
    [['\x7f\x7fa🔑\x7fb\x1b[D\x1b[3~\t\r'], 'ab'],
    [['\r'], ''],
  ] as const) {
    const keyboard = new Typed(...chunks);
    t.equal(await ask(keyboard), line);
    t.notOk(keyboard.raw, 'the terminal is as it was');
  }
  t.same(new Set(said), new Set(['? ', '\n']), 'nothing is shown');
  for (const end of ['\x03', '\x04']) {
    const keyboard = new Typed(`abc${end}`);
    await t.rejects(ask(keyboard), /given up/);
    t.notOk(keyboard.raw);
  }
  const pasted = new Typed('one two three\rone two three\r');
  t.equal(await askNew(() => ask(pasted)), 'one two three', 'both lines at once');
  await t.rejects(askSecret('? ', Object.assign(new Typed(), { isTTY: false })), /no terminal/);
});

await t.test('the help teaches, in 100 columns', (t) => {
  for (const help of [POLICY_KEYGEN_HELP, POLICY_SIGN_HELP, POLICY_VERIFY_HELP]) {
    t.ok(help.split('\n').every((line) => line.length <= 100));
    t.match(help, /Exit codes: .*\n\nExamples?.*:\n {2}tidegate policy /);
  }
  t.end();
});
