import { Readable } from 'node:stream';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { policyExplain } from '../../src/cli/policy-explain.js';
import { parseBody } from '../../src/event/event.js';
import { openWriter, write } from '../journal/tools.js';

const POLICY = `schema: tidegate-policy/v1
policy: { id: city, revision: 7 }
lists:
  hall: ["FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10/96"]
rules:
  - name: never-security
    effect: forbid
    match: { class: "@SECURITY" }
  - name: temperature
    effect: permit
    to: [public]
    reason: DPIA-2026-14
    match:
      source: plant
      class: [CLASS1.MEASUREMENT, CLASS2.MEASUREMENT_FLOAT]
      type: TEMPERATURE
      guid: { in: $hall }
      value: { unit: celsius, ge: -40, le: 60 }
      time: { zone: UTC, daily: ["05:00-22:00"] }
    emit:
      class: CLASS2.MEASUREMENT_FLOAT
      guid: { pseudonym: { key_file: ./no-such.key, prefix: "02:52:4C:59/32" } }
      value: { fn: mean, unit: celsius, round: 0.5 }
      time: { floor: 15m }
      window: { every: 15m, per: [guid, sensor], min_samples: 3 }
    limits: { rate: 20/s, burst: 40 }
  - name: alarms
    effect: permit
    to: [public, brigade]
    match: { class: CLASS1.ALARM }
`;
const GUID = 'FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01';
const WARM = `96,10,6,0,2026-06-01T11:58:03Z,0,${GUID},138,129,0,213`;
const ALARM = `0,1,1,0,,0,${GUID},0,1,2`;
const AT = ['--at', '2026-06-01T12:00:07Z'];

interface Given {
  readonly policy?: string;
  /** Chunks of standard input; undefined: it is a terminal. */
  readonly input?: readonly (string | Uint8Array)[];
  readonly files?: readonly string[];
}

/** Runs the command in a directory with policy.yaml. */
async function run(t: Test, args: readonly string[], given: Given = {}) {
  const directory = t.testdir({ 'policy.yaml': given.policy ?? POLICY });
  const out: string[] = [];
  const err: string[] = [];
  const terminal = Object.assign(Readable.from([]), { isTTY: true });
  const files = given.files ?? [join(directory, 'policy.yaml')];
  const status = await policyExplain(
    [...files, ...args],
    {
      out: (line) => out.push(line.replaceAll(`${directory}/`, '')),
      err: (line) => err.push(line.replaceAll(`${directory}/`, '')),
    },
    given.input ? Readable.from(given.input) : terminal,
  );
  return { status, out: out.join('\n'), err: err.join('\n'), directory };
}

const EXPLAINED = `--event 1
  class     CLASS1.MEASUREMENT (10)
  type      TEMPERATURE (6)
  priority  3
  guid      FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01
  time      2026-06-01T11:58:03Z
  data      138 129 0 213 (4 bytes)
  value     21.3 celsius
  sensor    2
  came      by plant, at 2026-06-01T12:00:07Z

verdict
  public   PERMITTED by city/temperature (policy.yaml:9:5), kept for a window
  brigade  DENIED: no rule permits it

rules
  city/alarms          permit  class: the event has CLASS1.MEASUREMENT (10), the rule wants CLASS1.ALARM (policy.yaml:30:21)
  city/never-security  forbid  class: the event has CLASS1.MEASUREMENT (10), the rule wants @SECURITY (policy.yaml:8:21)
  city/temperature     permit  matches: decides for public

public: kept for a window by city/temperature
  it joins the window [2026-06-01T12:00:00Z, 2026-06-01T12:15:00Z) (emit.window, policy.yaml:25:15) of type TEMPERATURE (6), guid FF:FF:FF:FF:FF:FF:FF:FE:B8:27:EB:10:01:02:00:01, sensor 2
  alone it sends nothing: min_samples asks 3, 2 more
  with 3 such samples the window sends this when it ends, at 2026-06-01T12:15:00Z
  rate 20/s, burst 40 (limits, policy.yaml:26:13): this is taken for the first event, which is never too many
  priority  3                                                as it came: emit does not name it
  class     CLASS2.MEASUREMENT_FLOAT (1060)                  said by the rule (emit.class, policy.yaml:21:14)
  type      TEMPERATURE (6)                                  as it came: emit does not name it
  obid      0                                                zero: never sent on
  guid      02:52:4C:59:A7:33:AE:DE:C8:07:64:0C:B8:3E:43:3B  pseudonym under prefix 02:52:4C:59/32, here with the published test key (emit.guid, policy.yaml:22:13)
  time      2026-06-01T12:00:00Z                             floor 15m of the window's begin, 2026-06-01T12:00:00Z (emit.time, policy.yaml:24:13)
  value     21.5                                             21.3 celsius as it came, mean of 3 such samples, rounded to 0.5 (emit.value, policy.yaml:23:14)
  unit      celsius                                          said by the rule (emit.value, policy.yaml:23:14)
  sensor    0                                                zero: emit does not name it
  zone      0                                                zero: emit does not name it
  subzone   0                                                zero: emit does not name it
  data      0 0 0 1 64 53 128 0 0 0 0 0                      the coding of these
  96,1060,6,0,2026-06-01T12:00:00Z,0,02:52:4C:59:A7:33:AE:DE:C8:07:64:0C:B8:3E:43:3B,0,0,0,1,64,53,128,0,0,0,0,0
`;

await t.test('an event is explained: verdict, rules, what is sent and why', async (t) => {
  const { status, out, err } = await run(t, [...AT, '--event', WARM]);
  t.equal(status, 0);
  t.equal(err, '');
  t.equal(out, EXPLAINED);
});

await t.test('the urgent lane is said, in words and as data', async (t) => {
  const policy = POLICY.replace('match: { class: CLASS1.ALARM }', '$&\n    urgent: true');
  const alarm = ALARM.replace('0,1,1', '96,1,1');
  const { out } = await run(t, [...AT, '--event', alarm], { policy });
  const said = '  it goes by the urgent lane: the rule is urgent (urgent, policy.yaml:31:13)';
  t.equal(out.split('\n').filter((line) => line === said).length, 2, 'for each channel');
  const json = await run(t, [...AT, '--json', '--event', alarm], { policy });
  t.match(JSON.parse(json.out), {
    channels: [{ sending: { urgent: true } }, { sending: { urgent: true } }],
  });
});

await t.test('one line an event, and one object', async (t) => {
  const brief = await run(t, [...AT, '--brief', '--event', WARM, '--event', ALARM]);
  t.same(brief.out.split('\n'), [
    '--event 1: CLASS1.MEASUREMENT TEMPERATURE: public permitted by city/temperature (open); brigade denied',
    '--event 2: CLASS1.ALARM WARNING: public permitted by city/alarms; brigade permitted by city/alarms',
  ]);
  const json = await run(t, [...AT, '--json', '--event', WARM, '--event', ALARM]);
  const [first, second] = json.out.split('\n').map((line) => JSON.parse(line) as object);
  t.match(first, {
    input: { from: 'event', number: 1 },
    event: { value: 21.3, unit: 'celsius', sensor: 2 },
    at: '2026-06-01T12:00:07Z',
    channels: [
      {
        channel: 'public',
        verdict: 'permitted',
        rule: 'city/temperature',
        place: { file: 'policy.yaml', line: 9, column: 5 },
        sending: { outcome: 'open', window: { minSamples: 3 } },
      },
      { channel: 'brigade', verdict: 'denied' },
    ],
    disagreements: [],
  });
  t.match(second, { input: { number: 2 }, event: { className: 'CLASS1.ALARM' } });
});

await t.test('colours on a terminal alone, and not under NO_COLOR', async (t) => {
  const { directory } = await run(t, []);
  const args = [join(directory, 'policy.yaml'), ...AT, '--event', ALARM];
  const painted = async (terminal: boolean, setting: string): Promise<boolean> => {
    const out: string[] = [];
    t.intercept(process, 'env', { value: { ...process.env, NO_COLOR: setting } });
    const io = { out: (line: string) => out.push(line), err: () => undefined, terminal };
    await policyExplain(args, io, Readable.from([]));
    return out.join('').includes('\x1b[32mPERMITTED\x1b[0m');
  };
  t.equal(await painted(true, ''), true);
  t.equal(await painted(true, '1'), false);
  t.equal(await painted(false, ''), false);
});

await t.test('lines of standard input, in whatever pieces they come', async (t) => {
  const text = `${WARM}\r\n\nnonsense\n${ALARM}\n0,1,1,0,,0,${'1'.repeat(5000)}\n${ALARM}`;
  const lines = ['line 1: ', 'line 4: ', 'line 6: '];
  for (const size of [1, 7, 100_000]) {
    const input = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!.map((part) => Buffer.from(part));
    const { status, out, err } = await run(t, [...AT, '--brief'], { input });
    t.equal(status, 1);
    const said = out.split('\n');
    t.equal(said.length, 3);
    said.forEach((line, i) => t.ok(line.startsWith(lines[i]!), line));
    const [head, long] = err.split('\n');
    t.equal(head, 'line 3: malformed: head: "nonsense"');
    t.match(long, /^line 5: malformed: too-long: "0,1,1,0,,0,1+"$/);
    t.ok(long!.length < 120);
  }
  const longest = ALARM + ' '.repeat(4096 - ALARM.length);
  t.match((await run(t, AT, { input: [`${longest}\r\n`] })).err, 'line 1: malformed: data');
  t.match((await run(t, AT, { input: [`${longest} \n`] })).err, 'line 1: malformed: too-long');
  const none = await run(t, AT, { input: ['\n\r\n'] });
  t.match(none, { status: 1, err: 'no event was given' });
  t.match((await run(t, [...AT, '--brief'], { input: [WARM] })).status, 0);
});

await t.test('nothing that comes in steers a terminal', async (t) => {
  const hostile = ['\x1b[2J', '\x9b31m', '\u202e', '\x00', `${ALARM.slice(0, 8)}\x1b]0;x\x07`];
  const input = [...hostile.map((each) => `${each}\n`), Uint8Array.of(0x9b, 0xff, 10)];
  const { out, err, status, directory } = await run(t, AT, { input });
  t.equal(status, 1);
  t.equal(err.split('\n').length, 6);
  t.notMatch(err + out, /[^\n\x20-\x7e\ufffd]/);
  const file = join(directory, '\x1b[31m\u202egone.yaml');
  writeFileSync(file, POLICY);
  for (const form of ['--json', '--brief', '']) {
    const args = [form, ...AT, '--event', ALARM, '--event', 'x'];
    const all = await policyRun([file, ...args].filter((each) => each !== ''));
    t.equal(all.status, 1);
    t.ok(all.out.length > 0);
    t.notMatch(all.out.join('\n') + all.err, /[^\n\x20-\x7e\ufffd]/);
    if (form === '--json') t.match(JSON.parse(all.out[0]!), { rules: [{ place: { file } }] });
  }
  const missing = await run(t, [...AT, '--event', ALARM], { files: ['/nowhere/\x1bx'] });
  t.match(missing, {
    status: 1,
    err: '/nowhere/\ufffdx:1:1: cannot read it: there is no such file',
  });
});

function makeJournal(directory: string): string {
  const journal = join(directory, 'public');
  mkdirSync(journal);
  const writer = openWriter(journal, { sources: ['plant', 'other'], rules: ['city/a', 'city/b'] });
  for (let i = 0; i < 30; i++) {
    const body = parseBody(i % 2 === 0 ? WARM : ALARM);
    write(writer, [{ source: i === 2 ? 1 : 0, rule: i % 2, body }]);
  }
  writer.buffer.set(parseBody(ALARM), writer.bodyAt);
  writer.append(parseBody(ALARM).length, 0, 0);
  writer.flush();
  writer.close();
  return journal;
}

await t.test('records of a journal, as events that come in again', async (t) => {
  const { directory } = await run(t, []);
  const journal = makeJournal(directory);
  const files = [join(directory, 'policy.yaml')];
  const explain = (...args: string[]) =>
    policyRun([...files, '--journal', journal, '--brief', ...AT, ...args]);
  const three = await explain('--count', '3');
  t.match(three, { status: 0, err: 'there is more: ended before record 4' });
  t.same(three.out, [
    'record 1 of channel public, sent by city/a; explained as if it came in again: CLASS1.MEASUREMENT TEMPERATURE: ' +
      'public permitted by city/temperature (open); brigade denied',
    'record 2 of channel public, sent by city/b; explained as if it came in again: CLASS1.ALARM WARNING: ' +
      'public permitted by city/alarms; brigade permitted by city/alarms',
    'record 3 of channel public, sent by city/a; explained as if it came in again: CLASS1.MEASUREMENT TEMPERATURE: ' +
      'public denied; brigade denied',
  ]);
  t.equal((await explain()).out.length, 20);
  const end = await explain('--from', '29');
  t.match(end, { status: 0, err: '' });
  t.equal(end.out.length, 2, 'what is not committed does not exist');
  t.match(await explain('--from', '31'), { status: 1, err: 'the journal has no such record' });
  const as = await explain('--from', '3', '--count', '1', '--source', 'plant');
  t.match(as.out[0], /public permitted by city\/temperature/);
  const gone = await policyRun([...files, '--journal', join(directory, 'none'), ...AT]);
  t.match(gone, { status: 1, err: /^cannot read .*none: there is no such file or directory$/ });
});

async function policyRun(args: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const io = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const status = await policyExplain(args, io, Readable.from([]));
  return { status, out, err: err.join('\n') };
}

await t.test('several files are active together', async (t) => {
  const { directory } = await run(t, []);
  const other = join(directory, 'other.yaml');
  writeFileSync(
    other,
    'schema: tidegate-policy/v1\npolicy: { id: ban, revision: 1 }\n' +
      'rules: [{ name: all, effect: forbid, to: brigade, match: { any: true } }]\n',
  );
  const files = [join(directory, 'policy.yaml'), other];
  for (const order of [files, files.toReversed()]) {
    const { out } = await policyRun([...order, '--brief', ...AT, '--event', ALARM]);
    t.match(out[0], /public permitted by city\/alarms/);
    t.match(out[0], /brigade forbidden by ban\/all/);
  }
});

await t.test('the source, where the policies name several or another', async (t) => {
  const policy = POLICY.replace('source: plant', 'source: [plant, mill]');
  const unclear = await run(t, [...AT, '--event', ALARM], { policy });
  t.equal(unclear.status, 2);
  t.match(unclear.err, /which link did it come by\? --source plant or mill/);
  t.equal((await run(t, [...AT, '--event', ALARM, '--source', 'mill'], { policy })).status, 0);
  const other = await run(t, [...AT, '--event', ALARM, '--source', 'plnt', '--brief']);
  t.match(other, { status: 0, err: "no rule names the source 'plnt'; did you mean 'plant'?" });
  t.match(other.out, /public permitted by city\/alarms/);
});

await t.test('help, and what a command line cannot say', async (t) => {
  const help = await run(t, ['--help']);
  t.match(help, { status: 0, err: '' });
  t.match(help.out, /tidegate-policy-test-key/);
  for (const line of help.out.split('\n')) t.ok(line.length <= 100, line.slice(0, 60));
  const wrong = async (args: readonly string[], files?: readonly string[]) => {
    const { status, err, out } = await run(t, args, files ? { files } : {});
    t.equal(status, 2, args.join(' '));
    t.equal(out, '');
    return err;
  };
  t.match(await wrong(['--event', WARM], []), /name the policy files/);
  t.match(await wrong([]), /no event: give --event LINE/);
  t.match(await wrong(['--event', WARM, '--at', '2026-02-30T00:00:00Z']), /is no time/);
  t.match(await wrong(['--event', WARM, '--at', 'now']), /2026-06-01T12:00:07Z/);
  t.match(await wrong(['--event', WARM, '--source', '../x']), /no name of a lower link/);
  t.match(await wrong(['--event', WARM, '--journal', 'x']), /not both/);
  t.match(await wrong(['--event', WARM, '--json', '--brief']), /not both/);
  t.match(await wrong(['--event', WARM, '--count', '3']), /--count goes with --journal/);
  t.match(await wrong(['--journal', 'x', '--from', '0']), /from 1 on/);
  t.match(await wrong(['--evnt', WARM]), /did you mean '--event'/);
});

await t.test('a policy that does not load is said with its place', async (t) => {
  const given = { policy: POLICY.replace('class: CLASS1.ALARM', 'class: CLASS1.ALRM') };
  const { status, err } = await run(t, [...AT, '--event', WARM], given);
  t.equal(status, 1);
  t.match(err, /^policy\.yaml:30:21: unknown class 'CLASS1\.ALRM'/);
  const expired = { policy: POLICY.replace('revision: 7', 'revision: 7, expires: 2026-05-01') };
  t.match((await run(t, [...AT, '--event', WARM], expired)).err, /policy 'city' expired/);
});
