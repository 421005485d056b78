import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { journal } from '../../src/cli/journal.js';
import { ageText, sizeText, timeText } from '../../src/cli/journal-text.js';
import { listSegments } from '../../src/journal/places.js';
import { openStatus, StatusFile } from '../../src/wire/status.js';
import { fill, Gate } from '../journal/gate.js';
import { FOREVER } from '../journal/tools.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Runs the command in this process. */
async function run(directory: string, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const status = await journal(
    args.map((arg) => arg.replace(/^\./, directory)),
    {
      out: (line) => out.push(...line.replaceAll(directory, '.').split('\n')),
      err: (line) => err.push(line.replaceAll(directory, '.')),
    },
  );
  return { status, out, err: err.join('\n') };
}

const CONFIG = `schema: tidegate/v1
state: ./state
lowers:
  plant: { host: 127.0.0.1, port: 9598, user: relay, password_file: password }
policies: [policy.yaml]
channels: { public: {}, archive: {}, brigade: {} }
uppers:
  portal: &upper
    channel: public
    host: upper.example
    port: 9599
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
  store:
    channel: archive
    host: upper.example
    port: 9599
    user: tidegate
    password_file: password
    tls: { ca: ca.pem, cert: relay.pem, key: relay.key, servername: upper.example }
`.replace(' &upper', '');

/** A state with journals, and a configuration. */
function stateIn(t: Test): string {
  const directory = t.testdir({ 'tidegate.yaml': CONFIG, state: { upper: { portal: {} } } });
  fill(join(directory, 'state', 'journal'));
  return directory;
}

await t.test('ls says what there is, and how far each upper has come', async (t) => {
  const directory = stateIn(t);
  const status = new StatusFile(openStatus(join(directory, 'state/upper/portal')));
  const at = (sequence: number) => ({ sequence });
  status.save({ state: 'up', time: Date.now(), lanes: { routine: at(80), urgent: at(18) } });
  const { status: code, out, err } = await run(directory, 'ls', '-c', './tidegate.yaml');
  t.same([code, err], [0, '']);
  const text = out.join('\n');
  t.match(text, /^public\n {2}routine {2}\d+ segments, 90 records, \S+ KiB in \S+ KiB$/m);
  t.match(text, /^ {4}segment +epoch +first +last +records +committed +room +created +last mark/m);
  t.match(text, /^ {4}0{15}1-0{7}1\.tgj +1 +1 +\d+ +\d+ +[\d.]+ KiB .*2026-06-01T12:00:00\.\d+Z/m);
  t.match(
    text,
    /upper portal {2}up \(\d+ s ago\) {2}routine at 80, 10 pending; urgent at 18, 0 pend/,
  );
  t.match(text, /upper store {2}has not said anything yet/);
  t.match(text, /^brigade\n {2}routine {2}nothing yet\n {2}urgent {3}nothing yet$/m);
  t.match(text, /^3 channels, \d+ segments, 126 records, /m);
  t.notMatch(text, '\x1b');

  const json: unknown = JSON.parse(
    (await run(directory, 'ls', './state/journal', 'public', '--json')).out[0]!,
  );
  t.match(json, {
    channels: [{ channel: 'public', lanes: [{ lane: 'routine', records: 90, sequence: 90 }, {}] }],
  });
  t.equal((json as { channels: object[] }).channels.length, 1);
});

await t.test('an upper that says anything is no trouble', async (t) => {
  const directory = stateIn(t);
  const status = new StatusFile(openStatus(join(directory, 'state/upper/portal')));
  for (const lanes of [{ routine: { sequence: '\x1b[2J' } }, null, undefined, 7]) {
    status.save({ state: '\x1b[2J', lanes });
    const { status: code, out } = await run(directory, 'ls', '-c', './tidegate.yaml');
    t.equal(code, 0);
    t.notMatch(out.join('\n'), '\x1b');
  }
  const sequence = 90;
  status.save({
    state: '\x1b[2J',
    time: 'x',
    lanes: { routine: { sequence }, urgent: { sequence } },
  });
  const { out } = await run(directory, 'ls', '-c', './tidegate.yaml');
  t.notMatch(out.join('\n'), '\x1b');
  t.match(out.join('\n'), /urgent at 90, 0 pending/);
});

await t.test('cat prints events in order, in three forms', async (t) => {
  const directory = stateIn(t);
  const where = ['-c', './tidegate.yaml', 'public'];
  const human = await run(directory, 'cat', ...where);
  t.same([human.status, human.err, human.out.length], [0, '', 108]);
  t.equal(
    human.out[2],
    '       1  urgent   2026-06-01T12:00:00.010Z  south  p/b  CLASS1.MEASUREMENT  TEMPERATURE  ' +
      '96,10,6,0,,3,FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01,1,2,3',
  );
  t.equal(new Set(human.out.map((line) => line.indexOf('  96,10'))).size, 1, 'aligned');

  const vscp = await run(directory, 'cat', './state/journal', 'public', '--vscp');
  t.equal(vscp.out.length, 108);
  t.match(vscp.out[0], /^96,10,6,0,,1,FF:/);
  const numbers = vscp.out.map((line) => Number(line.split(',')[5]));
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
    'both lanes, as they were made',
  );

  const json = await run(directory, 'cat', './state/journal/public', '--json', '--lane', 'urgent');
  t.equal(json.out.length, 18);
  t.same(JSON.parse(json.out[0]!), {
    channel: 'public',
    lane: 'urgent',
    sequence: 1,
    time: '2026-06-01T12:00:00.010Z',
    source: 'south',
    rule: 'p/b',
    class: 'CLASS1.MEASUREMENT',
    type: 'TEMPERATURE',
    event: vscp.out[2],
  });
});

await t.test('cat takes a part: by sequence, by time, by lane', async (t) => {
  const directory = stateIn(t);
  const cat = async (...args: string[]) => {
    const { out } = await run(directory, 'cat', './state/journal', 'public', '--json', ...args);
    return out.map((line) => {
      const { lane, sequence } = JSON.parse(line) as { lane: string; sequence: number };
      return `${lane[0]}${sequence}`;
    });
  };
  t.same(await cat('--to', '3'), ['r1', 'r2', 'u1', 'r3']);
  t.same(await cat('--from', '6', '--to', '9'), ['r6', 'r7', 'u2', 'r8', 'r9']);
  t.same(await cat('--from', '2', '--to', '3', '--lane', 'urgent'), ['u2', 'u3']);
  t.same(await cat('--from', '89'), ['r89', 'r90']);
  t.same(await cat('--since', '2026-06-01T12:00:00.040Z', '--until', '2026-06-01T12:00:00.040Z'), [
    'r6',
    'r7',
    'u2',
    'r8',
  ]);
  t.same((await cat('--since', '2026-06-01T12:00:00.470Z')).length, 2);
  t.same(await cat('--since', '2026-06-01T12:00:00Z', '--to', '1'), ['r1']);
  const none = await run(directory, 'cat', './state/journal', 'public', '--from', '91');
  t.same([none.status, none.out, none.err], [0, [], 'no such event is there']);
});

await t.test('names in a header do not steer a terminal', async (t) => {
  const directory = t.testdir({});
  const gate = new Gate(directory, { sources: ['\x1b[2J', 'e\u202e'], rules: ['\n', '\u0007'] });
  gate.commit([
    ['public', 'routine'],
    ['public', 'routine'],
  ]);
  gate.close();
  const human = await run(directory, 'cat', '.', 'public');
  t.equal(human.out.length, 2);
  t.notMatch(human.out.join(''), /[\x00-\x1f\u202e]/);
  const json = await run(directory, 'cat', '.', 'public', '--json');
  t.notMatch(json.out.join(''), /[\x00-\x1f\u202e]/);
  t.same((JSON.parse(json.out[1]!) as { source: string }).source, '\x1b[2J');
});

await t.test('cat says what is missing, and what holds no event', async (t) => {
  const directory = stateIn(t);
  const own = join(directory, 'state/journal/public');
  const names = listSegments(own).map(({ name }) => name);
  unlinkSync(join(own, names[2]!));
  const { status, out, err } = await run(directory, 'cat', './state/journal', 'public', '--vscp');
  t.equal(status, 1);
  t.match(
    err,
    /^routine \d+ to \d+ are not there: deleted meanwhile, or damaged; see tidegate jou/,
  );
  t.ok(out.length > 90);
  for (const name of names.slice(0, 2)) unlinkSync(join(own, name));
  const retained = await run(directory, 'cat', './state/journal', 'public', '--lane', 'routine');
  t.same([retained.status, retained.err], [0, ''], 'what retention deletes is not missing');
});

await t.test('verify says OK, or what is damaged and where', async (t) => {
  const directory = stateIn(t);
  const whole = await run(directory, 'verify', '-c', './tidegate.yaml');
  t.same([whole.status, whole.err, whole.out.at(-1)], [0, '', 'journal OK']);
  t.match(
    whole.out[0],
    /^public, routine: records 1 to 90, up to 2026-06-01T\S+ \(\d+ segments, 90 read/,
  );
  t.match(whole.out.join('\n'), /^brigade, urgent: nothing yet$/m);
  const own = join(directory, 'state/journal/public');
  const [first, second] = listSegments(own).map(({ name }) => name);
  const path = join(own, first!);
  const bytes = readFileSync(path);
  bytes[bytes.length - 300]! ^= 1;
  writeFileSync(path, bytes);
  const found = await run(directory, 'verify', '-c', './tidegate.yaml', 'public');
  t.equal(found.status, 1);
  const pattern =
    /^damage: \.\/state\/journal\/public\/0+1-0+1\.tgj, byte \d+: \d+ bytes are damaged/m;
  t.match(found.out.join('\n'), pattern);
  t.match(found.out.at(-1), /^journal DAMAGED: \d findings/);
  t.same((await run(directory, 'verify', '-c', './tidegate.yaml', 'archive')).status, 0);
  const json = await run(directory, 'verify', './state/journal', '--json');
  t.match(JSON.parse(json.out[0]!), { damage: Number, findings: [{ kind: 'damage' }] });
  renameSync(join(own, second!), join(own, '\x1b[2J.tgj'));
  t.notMatch((await run(directory, 'verify', './state/journal')).out.join('\n'), '\x1b');
});

await t.test('what is wrong with the command line names the way out', async (t) => {
  const directory = stateIn(t);
  mkdirSync(join(directory, 'empty'));
  const cases: [string[], number, RegExp][] = [
    [[], 2, /a command is missing: ls, cat, verify \(see tidegate journal --help\)/],
    [['lst'], 2, /unknown command "lst"; did you mean 'ls'\?/],
    [['cat', './state/journal'], 2, /name a channel: archive, public/],
    [['cat', './state/journal', 'pubic'], 2, /no channel "pubic" in .*; did you mean 'public'\?/],
    [['cat', '-c', './tidegate.yaml', 'pubic'], 2, /did you mean 'public'\?/],
    [['cat', './state/journal', 'public', 'x'], 2, /unexpected argument "x"/],
    [['cat', './state/journal', 'public', '--from', '0'], 2, /--from takes a sequence/],
    [
      ['cat', './state/journal', 'public', '--since', 'noon'],
      2,
      /write it as 2026-06-01T12:00:07Z/,
    ],
    [['cat', './state/journal', 'public', '--lane', 'fast'], 2, /--lane takes routine or urgent/],
    [['cat', './state/journal', 'public', '--json', '--vscp'], 2, /not both/],
    [['cat', './state/journal', 'public', '--folow'], 2, /did you mean '--follow'\?/],
    [
      ['ls', './nothing'],
      1,
      /cannot read \.\/nothing: there is no such file or directory; name the/,
    ],
    [['ls', './empty'], 1, /holds no journal: name state\/journal, a channel of it, or a copy/],
    [['verify', './state/journal/public/urgent'], 1, /one lane of a channel: name the directory/],
    [['verify', '-c', './none.yaml'], 1, /none\.yaml: there is no such file/],
    [
      ['verify', '-c', './tidegate.yaml', 'brigade'],
      1,
      /no journal yet: has the relay been started/,
    ],
  ];
  for (const [args, status, pattern] of cases) {
    const said = await run(directory, ...args);
    t.equal(said.status, status, args.join(' '));
    t.match(said.err, pattern);
    t.same(said.out, []);
  }
  for (const name of ['ls', 'cat', 'verify']) {
    t.match((await run(directory, name, '--help')).out.join('\n'), /^Usage: .*[^]*Examples:/m);
  }
  t.match((await run(directory, '--help')).out.join('\n'), /take no lock/);
});

await t.test('without the right to read, it says who has it', async (t) => {
  const directory = stateIn(t);
  const journals = join(directory, 'state/journal');
  chmodSync(journals, 0o700);
  if (process.geteuid!() !== 0) chmodSync(journals, 0);
  else process.seteuid!(65_534);
  try {
    for (const name of ['ls', 'cat', 'verify']) {
      const { status, err } = await run(directory, name, './state/journal', 'public');
      t.equal(status, 1);
      t.match(err, /permission denied; run it as root, or as the user of the relay/);
    }
  } finally {
    if (process.getuid!() === 0) process.seteuid!(0);
    chmodSync(journals, 0o755);
  }
});

/** A journal of many segments. */
function long(t: Test): string {
  const directory = t.testdir({});
  const gate = new Gate(directory, { segmentBytes: 2 ** 20, retain: FOREVER });
  const batch = Array.from({ length: 4000 }, () => ['public', 'routine'] as const);
  for (let i = 0; i < 25; i++) gate.commit(batch);
  gate.close();
  return directory;
}

await t.test('it streams: head ends it quietly, and what is long takes no memory', (t) => {
  const directory = long(t);
  const quiet = spawnSync(
    'bash',
    [
      '-c',
      `"$0" "$1" journal cat "$2" public | head -3; echo "\${PIPESTATUS[0]}"`,
      process.execPath,
      MAIN,
      directory,
    ],
    { encoding: 'utf8' },
  );
  t.equal(quiet.stderr, '');
  t.equal(quiet.stdout.split('\n').length, 5);
  t.match(quiet.stdout, /\n0\n$/);
  const small = ['--max-old-space-size=40', MAIN, 'journal', 'cat', directory, 'public', '--json'];
  const whole = spawnSync(process.execPath, small, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  t.equal(whole.status, 0, whole.stderr);
  t.equal(whole.stdout.trimEnd().split('\n').length, 100_000);
  const verified = spawnSync(
    process.execPath,
    ['--max-old-space-size=40', MAIN, 'journal', 'verify', directory],
    { encoding: 'utf8' },
  );
  t.match(verified, { status: 0, stdout: /journal OK\n$/, stderr: '' });
  t.end();
});

await t.test('--follow waits for more, over segments and restarts of the gate', async (t) => {
  const directory = t.testdir({});
  const gate = new Gate(directory);
  gate.commit([['public', 'routine']]);
  const child = spawn(process.execPath, [
    MAIN,
    'journal',
    'cat',
    directory,
    'public',
    '-f',
    '--vscp',
  ]);
  t.teardown(() => child.kill());
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  const until = async (count: number): Promise<void> => {
    for (let i = 0; text.split('\n').length <= count && i < 1000; i++) await sleep(20);
    const numbers = text
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.split(',')[5]));
    t.same(
      numbers,
      Array.from({ length: count }, (_, i) => i + 1),
    );
  };
  await until(1);
  for (let i = 0; i < 10; i++) {
    gate.commit([
      ['public', 'urgent'],
      ['public', 'routine'],
      ['public', 'urgent'],
    ]);
  }
  await until(31);
  gate.restart();
  gate.commit([
    ['public', 'routine'],
    ['public', 'urgent'],
  ]);
  await until(33);
  gate.close();
});

await t.test('sizes, ages and times are what people say', (t) => {
  t.same([0, 1023, 1536, 2 ** 30].map(sizeText), ['0 B', '1023 B', '1.5 KiB', '1.0 GiB']);
  t.same([0, 59_999, 61_000, 7.2e6, 9e7, -5].map(ageText), [
    '0 s',
    '59 s',
    '1 min',
    '2 h',
    '1 d',
    '0 s',
  ]);
  t.same([NaN, Infinity, undefined, 1e17, 0].map(timeText), [
    undefined,
    undefined,
    undefined,
    undefined,
    '1970-01-01T00:00:00.000Z',
  ]);
  t.end();
});
