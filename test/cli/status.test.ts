import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { describeMetrics } from '../../src/cli/metrics-families.js';
import { renderMetrics } from '../../src/metrics/text.js';
import { status } from '../../src/cli/status.js';
import type { Look } from '../../src/cli/status-look.js';
import { checkGate, checkSupervisor, checkUpper } from '../../src/cli/status-shape.js';
import { judge } from '../../src/cli/status-verdict.js';
import { drawStatus } from '../../src/cli/status-view.js';
import { lookOf, NOON, RelayFiles, type Statuses, wellStatuses } from './statuses.js';
import { runs } from '../arbitrary/runs.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const MINUTE = 60_000;
const DAY = 86_400_000;

async function run(args: readonly string[], columns?: number) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await status(args, {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    ...(columns === undefined ? {} : { terminal: true, columns }),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

const view = (look: Look, width = Infinity, colours = false): string =>
  drawStatus(look, judge(look), { width, colours }).join('\n');

const WIDE = `
well: 2 lowers and 1 upper up, events go out

relay     pid 4711, for 3 d 4 h; /etc/tidegate/tidegate.yaml; state /var/lib/tidegate
gate      forwarding; 120 events/s in, 40 permitted; started 3 d 4 h ago, 1 start
policies  public-climate revision 3, alarms revision 1; digest 3f2a9c01b2d4; in force by reload 2, for 2 h 10 min
audit     log of relay.example: 52,117 leaves, the first 52,096 signed
seals     ✓ users  ✓ namespaces  ✓ filters

links            state      for  connections  last one ended
  lower plant-a  up     3 d 3 h            1
  lower plant-b  up     3 d 3 h            1
  upper portal   up     3 d 3 h            3  the server closed it

sources    in/s  permitted/s         in  permitted   denied  malformed  lost
  plant-a   120           40  1,234,567    400,000  834,545          7    15
    malformed: guid 4, head 3
    lost: overflow 12, restart 3
    last loss: 12 events 1 h 1 min ago (overflow)
    interruptions: 1
  plant-b     0            0          0          0        0          0     0

channels    out/s  permitted  absorbed  open  withheld  journalled  urgent
  public      2.5    400,000   374,000   990        10      25,000   1,050
    absorbed: window 374,000
    withheld: rate 10

uppers    out/s  answered  refused  expired  pending  urgent  resent  channel
  portal    2.5    24,850        0        0      150      50      16  public

certificates             left  until       file
  portal cert         90 days  2026-08-31  tls/relay.pem
  portal ca        3,600 days  2036-04-10  tls/ca.pem
  portal server's     45 days  2026-07-17

processes         pid      for  memory   CPU
  supervisor     4711  3 d 4 h  60 MiB  12 s
  gate           4712  3 d 4 h  61 MiB  13 s
  lower plant-a  4713  3 d 4 h  62 MiB  14 s
  valve plant-a  4714  3 d 4 h  63 MiB  15 s
  lower plant-b  4715  3 d 4 h  64 MiB  16 s
  valve plant-b  4716  3 d 4 h  65 MiB  17 s
  dial portal    4717  3 d 4 h  66 MiB  18 s
  upper portal   4718  3 d 4 h  67 MiB  19 s
`;

const NARROW = `
well: 2 lowers and 1 upper up, events go out

relay     pid 4711, for 3 d 4 h;
          /etc/tidegate/tidegate.yaml; state
          /var/lib/tidegate
gate      forwarding; 120 events/s in, 40
          permitted; started 3 d 4 h ago, 1
          start
policies  public-climate revision 3, alarms
          revision 1; digest 3f2a9c01b2d4;
          in force by reload 2, for 2 h 10
          min
audit     log of relay.example: 52,117
          leaves, the first 52,096 signed
seals     ✓ users  ✓ namespaces  ✓ filters

links
  lower plant-a: state up, for 3 d 3 h,
    connections 1
  lower plant-b: state up, for 3 d 3 h,
    connections 1
  upper portal: state up, for 3 d 3 h,
    connections 3,
    last one ended the server closed it

sources
  plant-a: in/s 120, permitted/s 40,
    in 1,234,567, permitted 400,000,
    denied 834,545, malformed 7, lost 15
    malformed: guid 4, head 3
    lost: overflow 12, restart 3
    last loss: 12 events 1 h 1 min ago
      (overflow)
    interruptions: 1
  plant-b: in/s 0, permitted/s 0, in 0,
    permitted 0, denied 0, malformed 0,
    lost 0

channels
  public: out/s 2.5, permitted 400,000,
    absorbed 374,000, open 990, withheld 10,
    journalled 25,000, urgent 1,050
    absorbed: window 374,000
    withheld: rate 10

uppers
  portal: out/s 2.5, answered 24,850,
    refused 0, expired 0, pending 150,
    urgent 50, resent 16, channel public

certificates             left  until
  portal cert         90 days  2026-08-31
  portal ca        3,600 days  2036-04-10
  portal server's     45 days  2026-07-17

processes         pid      for  memory   CPU
  supervisor     4711  3 d 4 h  60 MiB  12 s
  gate           4712  3 d 4 h  61 MiB  13 s
  lower plant-a  4713  3 d 4 h  62 MiB  14 s
  valve plant-a  4714  3 d 4 h  63 MiB  15 s
  lower plant-b  4715  3 d 4 h  64 MiB  16 s
  valve plant-b  4716  3 d 4 h  65 MiB  17 s
  dial portal    4717  3 d 4 h  66 MiB  18 s
  upper portal   4718  3 d 4 h  67 MiB  19 s
`;

type Change = (statuses: Statuses) => void;
const link = (statuses: Statuses, kind: 'lowers' | 'uppers', i: number) =>
  statuses.supervisor[kind][i]!;

/** What a rule finds; what it must not find, one step away; words of its reason. */
const RULES: Readonly<Record<string, readonly ['down' | 'degraded', Change, Change, RegExp]>> = {
  'a supervisor that hangs': [
    'down',
    (s) => (s.supervisor.time = NOON - 5001),
    (s) => (s.supervisor.time = NOON - 5000),
    /^the supervisor, pid 4711, has written no status for 5 s: it hangs, or its disk takes no writ/,
  ],
  'a supervisor of the future': [
    'degraded',
    (s) => (s.supervisor.time = NOON + 60_000),
    (s) => (s.supervisor.time = NOON + 2000),
    /^the status of the supervisor is 1 min ahead of the clock/,
  ],
  'no gate': [
    'down',
    (s) => (s.supervisor.gate = { state: 'down', starts: 7 }),
    (s) => (s.supervisor.gate = { state: 'up', starts: 7 }),
    /^the gate does not run, after 7 starts: nothing goes out$/,
  ],
  'a gate that dies again and again': [
    'degraded',
    (s) => ((s.supervisor.gate = { state: 'up', starts: 7 }), (s.gate.started = NOON - 90_000)),
    (s) => ((s.supervisor.gate = { state: 'up', starts: 1 }), (s.gate.started = NOON - 90_000)),
    /^the gate died, and was started anew 1 min ago, for the 6\. time: see the log$/,
  ],
  'records that a power cut took': [
    'degraded',
    (s) => (s.gate.gone = { public: { time: NOON - 9000, reason: 'interrupted', count: 80 } }),
    (s) => (s.gate.gone = { public: { time: NOON - 1e6, reason: 'interrupted', count: 80 } }),
    /^channel public lost 80 .*interrupted/,
  ],
  'a gate that hangs': [
    'down',
    (s) => (s.gate.time = NOON - 12_000),
    (s) => (s.gate.time = NOON - 4000),
    /^the gate has written no status for 12 s/,
  ],
  'a gate of the future': [
    'degraded',
    (s) => (s.gate.time = NOON + 3000),
    (s) => (s.gate.time = NOON + 1000),
    /^the status of the gate is 3 s ahead of the clock/,
  ],
  'nothing goes out': [
    'down',
    (s) => Object.assign(s.gate, { forwarding: false, reason: 'ENOSPC', since: NOON - 90_000 }),
    (s) => Object.assign(s.gate, { forwarding: true, reason: 'ENOSPC' }),
    /^nothing goes out for 1 min: ENOSPC$/,
  ],
  'no lower': [
    'down',
    (s) => s.supervisor.lowers.forEach((each) => (each.state = 'connecting')),
    () => undefined,
    /^no lower is up$/,
  ],
  'one lower of two': [
    'degraded',
    (s) =>
      Object.assign(link(s, 'lowers', 1), {
        state: 'connecting',
        since: NOON - 9000,
        cause: 'silence',
      }),
    (s) => Object.assign(link(s, 'lowers', 1), { since: NOON - 9000, cause: 'silence' }),
    /^lower plant-b has been connecting for 9 s; the last connection ended: the server fell silent$/,
  ],
  'no upper': [
    'down',
    (s) => (link(s, 'uppers', 0).state = 'connecting'),
    () => undefined,
    /^no upper is up$/,
  ],
  'an upper that is not let in': [
    'down',
    (s) => (s.portal.state = 'connecting'),
    () => undefined,
    /^no upper is up$/,
  ],
  'an upper that hangs': [
    'down',
    (s) => (s.portal.time = NOON - 5001),
    (s) => (s.portal.time = NOON - 4999),
    /^no upper is up$/,
  ],
  'an upper of the future': [
    'degraded',
    (s) => (s.portal.time = NOON + DAY),
    (s) => (s.portal.time = NOON),
    /^the status of upper portal is 1 d ahead of the clock/,
  ],
  'a loss': [
    'degraded',
    (s) => (s.gate.losses['plant-a'] = { time: NOON - 5 * MINUTE, reason: 'overflow', count: 1 }),
    (s) =>
      (s.gate.losses['plant-a'] = { time: NOON - 5 * MINUTE - 1, reason: 'overflow', count: 1 }),
    /^source plant-a lost 1 event 5 min ago \(overflow\)$/,
  ],
  'a loss above': [
    'degraded',
    (s) => (s.portal.loss = { time: NOON - MINUTE, reason: 'expired', count: 2000 }),
    (s) => (s.portal.loss = { time: NOON - 6 * MINUTE, reason: 'expired', count: 2000 }),
    /^upper portal missed 2,000 events 1 min ago \(expired\)$/,
  ],
  'a seal that is off': [
    'degraded',
    (s) => (s.supervisor.seals[0] = { seal: 'users', inForce: false, reason: 'started by a user' }),
    (s) => (s.supervisor.seals[0] = { seal: 'users', inForce: true, reason: 'started by root' }),
    /^the seal 'users' is not in force: started by a user$/,
  ],
  'a reload that was refused': [
    'degraded',
    (s) =>
      (s.supervisor.reload = {
        count: 3,
        state: 'refused',
        time: NOON - 7000,
        reason: 'p:1:2: x\ny',
      }),
    (s) => (s.supervisor.reload = { count: 3, state: 'handed', time: NOON - 7000 }),
    /^a reload was refused 7 s ago: p:1:2: x$/,
  ],
  'policies that the gate refused': [
    'degraded',
    (s) =>
      (s.gate.policy.refused = {
        number: 3,
        digest: 'ab',
        reason: 'no key',
        time: NOON - 3_600_000,
      }),
    (s) => (s.gate.policy.number = 3),
    /^the gate refused policies 1 h ago: no key$/,
  ],
  'a certificate that expires soon': [
    'degraded',
    (s) => (s.supervisor.certificates[0]!.expires = NOON + 30 * DAY - 1),
    (s) => (s.supervisor.certificates[0]!.expires = NOON + 30 * DAY),
    /^the certificate of upper portal, tls\/relay\.pem, expires in 29 days, on 2026-07-01$/,
  ],
  'a certificate that has expired': [
    'degraded',
    (s) => (s.supervisor.certificates[1]!.expires = NOON - DAY),
    (s) => (s.supervisor.certificates[1]!.expires = NOON + 31 * DAY),
    /^the authority's certificate of upper portal, tls\/ca\.pem, expired 1 day ago, on 2026-05-31$/,
  ],
  "a server's certificate that expires soon": [
    'degraded',
    (s) => (s.portal.peerExpires = NOON + DAY),
    (s) => delete s.portal.peerExpires,
    /^the server's certificate of upper portal expires in 1 day, on 2026-06-02$/,
  ],
  'a certificate that was refused': [
    'degraded',
    (s) => (s.supervisor.certificates[0]!.refused = 'no key goes with it'),
    () => undefined,
    /^the certificate of upper portal, tls\/relay\.pem, has changed and is not taken: no key goes/,
  ],
};

await t.test('every rule finds what it is for, and nothing that is near', (t) => {
  t.same(judge(lookOf()), { verdict: 'well', reasons: [] });
  for (const [name, [verdict, has, hasNot, words]] of Object.entries(RULES)) {
    const found = judge(lookOf(has));
    t.equal(found.verdict, verdict, name);
    t.match(found.reasons[0]?.text, words, name);
    t.equal(found.reasons[0]?.verdict, verdict, name);
    t.same(judge(lookOf(hasNot)), { verdict: 'well', reasons: [] }, `${name}: one that is near`);
  }
  t.end();
});

await t.test('what is not there, not running or not whole', (t) => {
  const base = lookOf();
  const first = (look: Look) => {
    const { verdict, reasons } = judge(look);
    return [verdict, reasons[0]?.text];
  };
  const gone = { ...base, pid: undefined };
  t.same(first(gone), ['down', 'no relay runs on /var/lib/tidegate; its last status is 0 s old']);
  t.equal(judge(gone).reasons.length, 1, 'what is of then is not judged');
  t.match(first({ ...base, supervisor: {} }), [
    'down',
    /pid 4711, has written no status: it starts/,
  ]);
  t.match(first({ ...base, gate: {} }), ['down', /^the gate has written no status/]);
  t.match(first({ ...base, uppers: new Map([['portal', {}]]) }), ['down', /^no upper is up/]);
  const broken = { broken: 'time is missing' };
  t.match(first({ ...base, gate: broken }), ['degraded', /gate is broken: time is missing$/]);
  t.match(first({ ...base, supervisor: broken }), [
    'degraded',
    /pid 4711, is broken: time is miss/,
  ]);
  const both = { ...lookOf((s) => (s.gate.forwarding = false)), supervisor: broken };
  t.match(first(both), ['down', /^nothing goes out/], 'the gate speaks for itself');
  const half = lookOf((s) => s.supervisor.uppers.push({ ...s.supervisor.uppers[0]!, name: 'two' }));
  t.same(
    judge({ ...half, uppers: new Map([...half.uppers, ['two', broken]]) }).reasons.map(
      (r) => r.text,
    ),
    [
      'upper two hangs: connected for 3 d 3 h, it writes no status',
      'the status of upper two is broken: time is missing',
    ],
  );
  t.end();
});

await t.test('the worst comes first', (t) => {
  const look = lookOf((s) => {
    s.supervisor.seals[2] = { seal: 'filters', inForce: false };
    s.gate.forwarding = false;
  });
  t.same(
    judge(look).reasons.map(({ verdict }) => verdict),
    ['down', 'degraded'],
  );
  t.equal(judge(look).verdict, 'down');
  t.end();
});

await t.test('the view of a relay that is well, with room', (t) => {
  t.equal(view(lookOf()), WIDE.trim());
  t.equal(view(lookOf(), 120), WIDE.trim());
  t.end();
});

await t.test('a narrow terminal has the same in paragraphs, and no line beyond its edge', (t) => {
  const text = view(lookOf(), 44);
  t.equal(text, NARROW.trim());
  for (const width of [44, 60, 80, 100]) {
    const longest = Math.max(
      ...view(lookOf(), width)
        .split('\n')
        .map((line) => line.length),
    );
    t.ok(longest <= width, `${longest} of ${width}`);
  }
  t.match(view(lookOf(), 78), /^sources.* permitted\/s /m);
  t.notMatch(view(lookOf(), 70), 'permitted/s', 'what can be spared goes first');
  t.end();
});

await t.test('colours only where they are wanted', (t) => {
  t.match(view(lookOf(), 80, true), '\x1b[32m');
  t.notMatch(view(lookOf(), 80), '\x1b');
  const stripped = view(lookOf(), 80, true).replaceAll(/\x1b\[\d+m/g, '');
  t.equal(stripped, view(lookOf(), 80), 'they take no room');
  t.end();
});

await t.test('the view of a relay that is down has its last counters, and nothing of now', (t) => {
  const text = view({ ...lookOf(), pid: undefined });
  t.match(text, /^down: no relay runs on/);
  t.match(text, /plant-a +1,234,567 +400,000 +834,545/);
  t.match(text, /lower plant-a +unknown/);
  t.notMatch(text, /forwarding|^processes|events\/s/m);
  t.end();
});

await t.test('from files: text, JSON and exit codes', async (t) => {
  const relay = new RelayFiles(t);
  const args = ['-c', relay.config];
  t.match(await run(args), { code: 2, out: /^down: no relay runs on .*\/state$/m, err: '' });
  relay.leaveLock();
  relay.writeAll(wellStatuses(Date.now()));
  t.match(await run(args), {
    code: 2,
    out: /^down: no relay runs on .*; its last status is 0 s old/,
  });
  relay.lock();
  t.match(await run(args), { code: 0, out: /^well: 2 lowers and 1 upper up, events go out\n/ });
  t.match((await run(args)).out, new RegExp(`^relay     pid ${process.pid}, for 3 d 4 h`, 'm'));

  const json = await run([...args, '--json']);
  t.equal(json.code, 0);
  const report = JSON.parse(json.out) as Record<string, unknown>;
  t.match(report, {
    verdict: 'well',
    reasons: [],
    pid: process.pid,
    supervisor: { gate: { starts: 1 } },
    gate: { sources: { 'plant-a': { in: 1_234_567 } }, channels: [{ journalled: 25_000 }] },
    uppers: { portal: { lanes: { urgent: { answered: 1000 } } } },
  });

  const ill = wellStatuses(Date.now());
  ill.supervisor.seals[0] = { seal: 'users', inForce: false, reason: 'an ordinary user' };
  relay.write('supervisor', ill.supervisor);
  t.match(await run(args), { code: 1, out: /^degraded: the seal 'users' is not in force: an ord/ });
  t.match(JSON.parse((await run([...args, '--json'])).out), {
    verdict: 'degraded',
    reasons: [{ verdict: 'degraded', text: /^the seal 'users'/ }],
  });

  const usage = [['--jsn'], ['extra'], ['--json', '--watch'], ['-c', 'a', '-c', 'b']];
  for (const wrong of usage) t.match(await run(wrong), { code: 3, out: '', err: /^tidegate: / });
  t.match(await run(['-c', `${relay.config}.no`]), {
    code: 3,
    out: '',
    err: /there is no such file/,
  });
  t.match(await run(['--help']), {
    code: 0,
    out: /0 well, 1 degraded, 2 down, 3 it cannot be told/,
  });
});

await t.test('who may not read is told so, and gets no verdict', (t) => {
  if (process.getuid?.() !== 0) {
    t.plan(0, 'needs root, to be somebody else');
    return;
  }
  const relay = new RelayFiles(t);
  relay.writeAll(wellStatuses(Date.now()));
  const theirs = join(relay.state, 'supervisor');
  chmodSync(theirs, 0o700);
  chownSync(theirs, 65_534, 65_534);
  // Another user might not come to dist/: this one has lost root's rights instead.
  const without = ['--bounding-set', '-all', '--inh-caps', '-all'];
  const probe = spawnSync(
    'setpriv',
    [...without, process.execPath, MAIN, 'status', '-c', relay.config],
    { encoding: 'utf8' },
  );
  t.match(probe, {
    status: 3,
    stdout: '',
    stderr: /permission denied; ask as root, or as the user/,
  });
  t.end();
});

await t.test(
  'an upper that was taken over may put anything in the place of its file',
  async (t) => {
    const relay = new RelayFiles(t);
    relay.writeAll(wellStatuses(Date.now()));
    relay.lock();
    const file = join(relay.state, 'upper/portal/status');
    const put: Readonly<Record<string, () => void>> = {
      'a FIFO': () => execFileSync('mkfifo', [file]),
      'a link': () => symlinkSync('/etc/passwd', file),
      'a directory': () => mkdirSync(file),
      'a long file': () => writeFileSync(file, Buffer.alloc(2 ** 20, 'x')),
      nothing: () => undefined,
    };
    for (const [what, make] of Object.entries(put)) {
      rmSync(file, { recursive: true, force: true });
      make();
      const { code, out } = await run(['-c', relay.config]);
      t.equal(code, 2, what);
      t.match(out, /^down: no upper is up\n/, what);
      t.notMatch(out, 'root:', what);
    }
  },
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** JSON that is almost a status: any value in any place. */
function spoiled(whole: object): fc.Arbitrary<unknown> {
  const places: (readonly string[])[] = [];
  const walk = (value: unknown, path: readonly string[]): void => {
    places.push(path);
    if (!isObject(value)) return;
    for (const [key, each] of Object.entries(value)) walk(each, [...path, key]);
  };
  walk(whole, []);
  const value = fc.oneof(
    fc.jsonValue(),
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.constantFrom(
      '\x1b[2J',
      '\u202e',
      '\x9b31m',
      1e308,
      -1,
      0.5,
      null,
      '__proto__',
      'constructor',
    ),
  );
  const change = fc.tuple(fc.constantFrom(...places), value, fc.option(fc.string()));
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let copy: unknown = structuredClone(whole);
    for (const [path, put, extra] of changes) {
      if (path.length === 0) copy = structuredClone(put);
      let at = copy;
      for (const key of path.slice(0, -1)) at = isObject(at) ? at[key] : undefined;
      const key = extra ?? path.at(-1);
      if (!isObject(at) || key === undefined) continue;
      const value = structuredClone(put);
      Object.defineProperty(at, key, { value, enumerable: true, configurable: true });
    }
    return JSON.parse(JSON.stringify(copy)) as unknown;
  });
}

/** As status-look.ts does, without the files. */
function seen<T>(check: (value: unknown, place: string) => T, value: unknown) {
  try {
    return { status: check(value, '') };
  } catch (error) {
    if ((error as Error).name !== 'ShapeError') throw error;
    return { broken: (error as Error).message };
  }
}

await t.test('no status, whatever is in it, stops the view or speaks to the terminal', (t) => {
  const well = wellStatuses();
  const any = (whole: object) =>
    fc.oneof({ weight: 6, arbitrary: spoiled(whole) }, { weight: 1, arbitrary: fc.jsonValue() });
  const or = (whole: object) =>
    fc.oneof(
      { weight: 1, arbitrary: fc.constant<unknown>(whole) },
      { weight: 1, arbitrary: any(whole) },
    );
  let broken = 0;
  let whole = 0;
  fc.assert(
    fc.property(
      or(well.supervisor),
      or(well.gate),
      any(well.portal),
      (supervisor, gate, portal) => {
        const upper = seen(checkUpper, portal);
        if ('broken' in upper) broken++;
        else whole++;
        const look: Look = {
          ...lookOf(),
          supervisor: seen(checkSupervisor, supervisor),
          gate: seen(checkGate, gate),
          uppers: new Map([['portal', upper]]),
        };
        const judgement = judge(look);
        const text = drawStatus(look, judgement, { width: 80, colours: false });
        for (const line of text) {
          if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(line)) throw new Error(JSON.stringify(line));
          if (line.length > 5000) throw new Error(`${line.length} columns`);
        }
        if (text.length > 2000) throw new Error(`${text.length} lines`);
        const families = describeMetrics(look, judgement);
        const metrics = renderMetrics(families, 'textfile');
        for (const line of metrics.trimEnd().split('\n')) {
          if (!/^(# .*|tidegate_[a-z_]+(\{.*\})? [\d.e-]+)$/.test(line)) throw new Error(line);
        }
      },
    ),
    { numRuns: runs(400) },
  );
  t.ok(broken > 80, `${broken} were refused`);
  t.ok(whole > 12, `${whole} were taken`);
  t.end();
});

await t.test('a broken status says which field is wrong, and quotes nothing of it', async (t) => {
  const relay = new RelayFiles(t);
  const well = wellStatuses(Date.now());
  relay.writeAll(well);
  relay.lock();
  relay.write('upper/portal', { ...well.portal, answered: '\x1b[2J' });
  const { out } = await run(['-c', relay.config]);
  t.match(out, 'the status of upper portal is broken: answered is no whole number');
  t.notMatch(out, '\x1b');
  const gate = structuredClone(well.gate) as { sources: Record<string, unknown> };
  gate.sources['\x1b[2J'] = gate.sources['plant-a'];
  relay.write('gate', gate);
  t.match((await run(['-c', relay.config])).out, 'gate is broken: sources has a strange key');
  relay.write('gate', { ...well.gate, reason: 'a\x1b[2J\nb', forwarding: false });
  t.match((await run(['-c', relay.config])).out, /^down: nothing goes out: a\ufffd\[2J\ufffdb/);
});

await t.test('the command itself: exit codes, pipes, no colours in them', (t) => {
  const relay = new RelayFiles(t);
  relay.writeAll(wellStatuses(Date.now()));
  const main = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, 'status', ...args], { encoding: 'utf8' });
  t.match(main('-c', relay.config), { status: 2, stdout: /^down: / });
  t.match(main('--wtach'), { status: 3, stderr: /did you mean '--watch'\?/ });
  t.notMatch(main('-c', relay.config).stdout, '\x1b');
  const script = '"$0" "$1" status -c "$2" | : ; echo "${PIPESTATUS[0]}"';
  const piped = spawnSync('bash', ['-c', script, process.execPath, MAIN, relay.config], {
    encoding: 'utf8',
  });
  t.equal(piped.stdout, '2\n', 'the verdict stands where nobody reads on');
  t.end();
});

await t.test('--watch in a pipe prints one view below the other', async (t) => {
  const relay = new RelayFiles(t);
  relay.writeAll(wellStatuses(Date.now()));
  const watch = spawn(process.execPath, [MAIN, 'status', '-c', relay.config, '--watch']);
  let text = '';
  watch.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  while (text.split('down: ').length < 3) await sleep(20);
  watch.kill('SIGINT');
  const code = await new Promise((resolve) => watch.on('exit', resolve));
  t.equal(code, 2, 'the last verdict');
  t.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\ndown: /);
  t.notMatch(text, '\x1b');
});

const script = spawnSync('script', ['--version']).status === 0;
const required = process.env['TIDEGATE_REQUIRE_ALL'] === '1';

await t.test(
  '--watch on a terminal leaves it as it was',
  required || script ? {} : { skip: 'needs script (bsdutils)' },
  async (t) => {
    const relay = new RelayFiles(t);
    relay.writeAll(wellStatuses(Date.now()));
    const quoted = [process.execPath, MAIN, 'status', '-c', relay.config, '--watch']
      .map((word) => `'${word}'`)
      .join(' ');
    const env = { ...process.env, TERM: 'xterm' };
    delete (env as Record<string, unknown>)['NO_COLOR'];
    // A shell that stays gets the Ctrl-C as well, and a plain one dies of it.
    const inside = `stty cols 60 rows 20; exec ${quoted}`;
    const terminal = spawn('script', ['-qefc', inside, '/dev/null'], { env });
    let text = '';
    terminal.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    while (text.split('Ctrl-C ends it').length < 2 && text.split('\x1b[H').length < 3)
      await sleep(20);
    t.match(text, /^\x1b\[\?1049h\x1b\[\?25l/);
    t.match(text, '\x1b[31m');
    t.notMatch(text, '\x1b[?1049l');
    terminal.stdin.write('\x03');
    const code = await new Promise((resolve) => terminal.on('close', resolve));
    t.equal(code, 2);
    t.match(text, /\x1b\[\?7h\x1b\[\?25h\x1b\[\?1049l$/);
    const picture = text.split('\x1b[H')[1]!.split('\n');
    t.ok(picture.length <= 20, `${picture.length} lines`);
  },
);
