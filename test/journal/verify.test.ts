import fc from 'fast-check';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import {
  formatHeader,
  MARK,
  parseHeader,
  sealRecord,
  segmentName,
} from '../../src/journal/format.js';
import { History } from '../../src/journal/history.js';
import { lanesIn, listSegments, type Place } from '../../src/journal/places.js';
import { surveyJournal } from '../../src/journal/survey.js';
import { type Verdict, verifyJournals, type VerifyOptions } from '../../src/journal/verify.js';
import { BEGUN, fill, Gate, type Sent } from './gate.js';
import { runs } from '../arbitrary/runs.js';

const ROUTINE: Sent = ['public', 'routine'];
const URGENT: Sent = ['public', 'urgent'];

const words = ({ findings }: Verdict): string =>
  findings.map(({ kind, file, message }) => `${kind} ${basename(file)} ${message}`).join('\n');

const verify = (gate: Pick<Gate, 'places'>, options: VerifyOptions = {}): Verdict =>
  verifyJournals(gate.places, { patience: 0, ...options });

/** All that a reader of these lanes sees, with the times of the marks. */
function readAll(places: readonly Place[]): string {
  const seen: string[] = [];
  for (const place of places) {
    const history = new History([place]);
    for (let entry; (entry = history.next());) {
      const { sequence, time, bytes, body, source, rule } = entry;
      const event = Buffer.from(bytes.subarray(body, body + 47)).toString('hex');
      seen.push(`${place.name} ${sequence} ${time} ${source} ${rule} ${event}`);
    }
    history.close();
  }
  return seen.join('\n');
}

const filesOf = (gate: Gate): string[] =>
  gate.places.flatMap(({ directory }) =>
    listSegments(directory).map(({ name }) => join(directory, name)),
  );

function edit(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}

await t.test('journals as a gate writes them are whole, and nothing is said of them', (t) => {
  const gate = fill(t.testdir());
  const verdict = verify(gate);
  t.equal(words(verdict), '');
  t.same([verdict.damage, verdict.notes], [0, 0]);
  t.match(verdict.lanes, [
    { channel: 'public', lane: 'routine', records: 90, first: 1, last: 90, time: gate.time - 10 },
    { channel: 'public', lane: 'urgent', records: 18, first: 1, last: 18 },
    { channel: 'archive', lane: 'routine', records: 18 },
    { channel: 'archive', lane: 'urgent', records: 0 },
  ]);
  t.ok(verdict.lanes[0]!.segments > 6);
  t.match(surveyJournal(gate.places[0]!.directory).at(-1), { last: 90, marked: gate.time - 10 });
  const facts = surveyJournal(gate.places[0]!.directory);
  t.equal(
    facts.reduce((sum, { records }) => sum + records, 0),
    90,
  );
  t.end();
});

await t.test('both lanes are read in the order in which the records were made', (t) => {
  const gate = fill(t.testdir());
  const history = new History(gate.places.slice(0, 2));
  const numbers: number[] = [];
  const times: number[] = [];
  for (let entry; (entry = history.next());) {
    numbers.push(entry.bytes[entry.body + 18]! * 256 + entry.bytes[entry.body + 19]!);
    times.push(entry.time);
  }
  history.close();
  t.equal(numbers.length, 108);
  t.same(
    numbers,
    [...numbers].sort((a, b) => a - b),
    'as they were numbered',
  );
  t.same(
    times,
    [...times].sort((a, b) => a - b),
  );
  t.equal(times[0], BEGUN + 10);

  const later = new History(gate.places.slice(0, 2), { since: times[60]! });
  const rest: number[] = [];
  for (let entry; (entry = later.next());) rest.push(entry.time);
  later.close();
  t.ok(rest.length < 108, 'earlier segments are not looked at');
  t.same(
    rest.filter((time) => time >= times[60]!),
    times.filter((time) => time >= times[60]!),
  );
  t.end();
});

await t.test('what is urgent does not overtake what is marked after it', (t) => {
  const gate = new Gate(t.testdir());
  const history = new History(gate.places.slice(0, 2));
  const next = (wait: boolean): string | undefined => {
    const entry = history.next(wait);
    return entry && `${entry.lane} ${entry.sequence}`;
  };
  gate.commit([ROUTINE]);
  t.equal(next(true), 'routine 1');
  t.equal(next(true), undefined);
  const [first, second] = gate.flush([ROUTINE, URGENT, ROUTINE], false);
  gate.mark(first!);
  t.equal(next(true), undefined, 'it waits');
  gate.mark(second!);
  t.same([next(true), next(true), next(true)], ['routine 2', 'urgent 1', 'routine 3']);
  // A gate that died between the two marks: there is no more to be waited for.
  gate.mark(gate.flush([ROUTINE, URGENT], false)[0]!);
  t.same([next(true), next(false)], [undefined, 'urgent 2']);
  history.close();
  gate.close();
  t.end();
});

await t.test('each kind of damage is said in words, with the file', (t) => {
  const original = fill(join(t.testdir(), 'original'));
  const home = t.testdirName;
  let number = 0;
  const damaged = (change: (directory: string, names: readonly string[]) => void): Verdict => {
    const directory = join(home, `copy-${++number}`);
    cpSync(original.directory, directory, { recursive: true });
    const own = join(directory, 'public');
    change(
      own,
      listSegments(own).map(({ name }) => name),
    );
    const places = original.places.map((place) => ({
      ...place,
      directory: place.directory.replace(original.directory, directory),
    }));
    return verifyJournals(places, { patience: 0 });
  };
  const expect = (name: string, verdict: Verdict, ...patterns: RegExp[]): void => {
    t.ok(verdict.damage > 0, name);
    for (const pattern of patterns) t.match(words(verdict), pattern, name);
  };
  expect(
    'a bit',
    damaged((own, names) =>
      edit(join(own, names[1]!), (bytes) => (bytes[bytes.length >> 1]! ^= 4)),
    ),
    /bytes are damaged.*a mark behind them, at byte \d+, commits up to record \d+/,
    /records? \d+.* cannot be read: 0+\d+-0+1\.tgj is damaged/,
  );
  expect(
    'a segment',
    damaged((own, names) => unlinkSync(join(own, names[2]!))),
    /damage .* records \d+ to \d+ are missing between 0+\d+-0+1\.tgj and this segment/,
  );
  expect(
    'the newest segment',
    damaged((own, names) => unlinkSync(join(own, names.at(-1)!))),
    /records? [^\n]* not there, of which batch \d+ in .* speaks/,
  );
  expect(
    'the end',
    damaged((own, names) => truncateSync(join(own, names.at(-1)!), 1500)),
    /records? [^\n]* not there, of which batch \d+ in .* speaks/,
  );
  expect(
    'a name',
    damaged((own, names) => renameSync(join(own, names[0]!), join(own, segmentName(1, 0)))),
    /the header says epoch 1, but it is 0 here/,
  );
  expect(
    'a lane',
    damaged((own) => rmSync(join(own, 'urgent'), { recursive: true })),
    /records 1 to 18 are not there/,
  );
  expect(
    'a header',
    damaged((own, names) => edit(join(own, names[0]!), (bytes) => (bytes[40]! ^= 1))),
    /the header is torn or damaged: nothing in this segment can be read/,
    /cannot be read/,
  );
  expect(
    'a header that says anything',
    damaged((own, names) => writeFileSync(join(own, names[0]!), formatHeader(null as never))),
    /the header is no object/,
  );
  expect(
    'a header that is no JSON',
    damaged((own, names) =>
      edit(join(own, names[0]!), (bytes) => {
        const { length } = parseHeader(bytes)!;
        bytes[12] = 0x21;
        const header = formatHeader('x'.repeat(length - 18) as never);
        header.copy(bytes);
      }),
    ),
    /damage/,
  );
  expect(
    'something at the end of a closed segment',
    damaged((own, names) => writeFileSync(join(own, names[0]!), 'x', { flag: 'a' })),
    /1 bytes are damaged/,
  );
  expect(
    'a segment of a name that none has',
    damaged((own, names) => renameSync(join(own, names[0]!), join(own, '1.tgj'))),
    /no segment is called like this/,
  );
  expect(
    'a whole journal of earlier',
    damaged((own) => {
      cpSync(join(original.directory, 'archive'), own, { recursive: true });
    }),
    /the header says channel archive, but it is public here/,
  );
  t.end();
});

/** Writes into the last mark of a lane, and gives it the right CRC again. */
function forge(path: string, change: (bytes: Buffer, at: number) => void): void {
  edit(path, (bytes) => {
    const { length } = parseHeader(bytes)!;
    let at = length;
    let mark = at;
    while (at < bytes.length && bytes.readUInt32BE(at) > 0) {
      if (bytes[at + 4] === MARK) mark = at;
      at += bytes.readUInt32BE(at);
    }
    change(bytes, mark);
    sealRecord(bytes, mark, bytes.readUInt32BE(mark), MARK);
  });
}

await t.test('marks that contradict the records, or each other, are found', (t) => {
  const cases: [string, (bytes: Buffer, at: number) => void, RegExp][] = [
    ['sequence', (b, at) => b.writeBigUInt64BE(89n, at + 8), /commits up to record 89, but .* 90/],
    ['batch', (b, at) => b.writeBigUInt64BE(3n, at + 16), /batch 3: comes after that of batch/],
    ['time', (b, at) => b.writeDoubleBE(BEGUN, at + 24), /is \d+ ms earlier than the one before/],
    ['no time', (b, at) => b.writeDoubleBE(NaN, at + 24), /has no time/],
    ['shape', (b, at) => b.writeUInt16BE(7, at + 32), /is not built as the header says/],
    ['a counter', (b, at) => b.writeDoubleBE(1, at + 36 + 8), /'north': in (?:is|went down from)/],
  ];
  for (const [name, change, pattern] of cases) {
    const gate = fill(t.testdir({}));
    forge(
      filesOf(gate)
        .filter((path) => !/urgent|archive/.test(path))
        .at(-1)!,
      change,
    );
    const verdict = verify(gate);
    t.ok(verdict.damage > 0, name);
    t.match(words(verdict), pattern, name);
    if (name !== 'sequence' && name !== 'batch') {
      t.match(words(verdict), /says other than that in|built/, name);
    }
  }
  t.end();
});

await t.test('sums that do not hold are found, in whichever mark', (t) => {
  const cases = [
    ['source', 'in', 1, /source 'north': in is \d+, but permitted \+ denied \+ malformed \+ lost/],
    ['source', 'denied', -1, /source 'north': denied went down|in is \d+, but/],
    ['channel', 'open', 2, /channel 'public': permitted is \d+, but emitted \+ /],
    ['channel', 'emitted', 1, /channel 'public': emitted has grown by other than/],
  ] as const;
  for (const [of, name, by, pattern] of cases) {
    const gate = new Gate(t.testdir({}));
    gate.commit([['public', 'routine']]);
    gate.count(of, 0, name, by);
    gate.commit([['public', 'routine']]);
    gate.close();
    const verdict = verify(gate);
    t.ok(verdict.damage > 0);
    t.match(words(verdict), pattern);
  }
  t.end();
});

await t.test('a kill leaves what is noted, and no damage', (t) => {
  const gate = fill(t.testdir());
  gate.restart();
  gate.flush(
    [
      ['public', 'routine'],
      ['public', 'urgent'],
    ],
    false,
  );
  t.match(verify(gate), { damage: 0, notes: 2 }, 'records without marks');
  t.match(words(verify(gate)), /note .* record 91 have no mark: normal while a relay runs/);
  gate.mark('public/urgent');
  t.match(verify(gate), { damage: 0 }, 'one of two marks');
  t.match(words(verify(gate)), /commits record 91: the next start marks them/);
  const routine = filesOf(gate)
    .filter((path) => !/urgent|archive/.test(path))
    .at(-1)!;
  const whole = statSync(routine).size;
  gate.mark('public');
  t.equal(words(verify(gate)), '');
  const marked = statSync(routine).size;
  for (let cut = marked - 1; cut >= whole; cut -= 7) {
    truncateSync(routine, cut);
    t.equal(verify(gate).damage, 0, `cut at ${cut}`);
  }
  // The header itself.
  for (const cut of [100, 9, 0]) {
    truncateSync(routine, cut);
    const { findings } = verify(gate, { copied: true });
    t.match(findings[0], { kind: 'note', message: /begun, and has no whole header/ });
  }
  gate.close();
  t.end();
});

await t.test('what a power cut took, and the next gate went on without, is noted once', (t) => {
  const gate = fill(t.testdir());
  const routine = filesOf(gate)
    .filter((path) => !/urgent|archive/.test(path))
    .at(-1)!;
  const bytes = readFileSync(routine);
  let end = parseHeader(bytes)!.length;
  while (bytes[end + 4] !== MARK) end += bytes.readUInt32BE(end);
  truncateSync(routine, end + bytes.readUInt32BE(end));
  t.ok(verify(gate).damage > 0, 'before that, they are missing');
  t.equal(verify(gate, { copied: true }).damage, 0, 'or not yet copied');
  gate.restart();
  gate.commit([['public', 'routine']]);
  gate.close();
  const verdict = verify(gate);
  t.match(verdict, { damage: 0, notes: 1 }, words(verdict));
  t.match(words(verdict), /before this segment, a power cut took records? \d+/);
  t.end();
});

await t.test('what retention deletes is not missing; files of others are noted', (t) => {
  const gate = fill(t.testdir());
  const { directory } = gate.places[0]!;
  for (const { name } of listSegments(directory).slice(0, 5)) unlinkSync(join(directory, name));
  writeFileSync(join(directory, 'next'), Buffer.alloc(4000));
  t.equal(words(verify(gate)), '');
  writeFileSync(join(directory, 'README'), '');
  t.match(verify(gate), { damage: 0, notes: 1 });
  t.end();
});

await t.test('one channel alone is whole too', (t) => {
  const gate = fill(t.testdir());
  for (const places of [gate.places.slice(0, 2), gate.places.slice(2)]) {
    t.equal(words(verifyJournals(places)), '');
  }
  t.end();
});

await t.test('while a gate writes, what it writes is whole', (t) => {
  const gate = new Gate(t.testdir());
  let marks = 0;
  const progress = (): void => {
    // In the midst of being read, it goes on, as another process would.
    if (marks++ < 30) {
      gate.commit([
        ['public', 'routine'],
        ['public', 'urgent'],
        ['public', 'routine'],
      ]);
      gate.commit([]);
    }
  };
  for (let i = 0; i < 200; i++)
    gate.commit([
      ['public', 'urgent'],
      ['archive', 'routine'],
    ]);
  const verdict = verify(gate, { progress, patience: 500 });
  t.equal(words(verdict), '');
  t.ok(marks > 2);
  gate.close();
  t.end();
});

await t.test('any change of any byte is found, or no reader sees a difference', (t) => {
  const gate = fill(t.testdir());
  gate.restart();
  gate.commit([
    ['public', 'routine'],
    ['public', 'urgent'],
    ['archive', 'routine'],
  ]);
  gate.commit([
    ['public', 'routine'],
    ['archive', 'urgent'],
  ]);
  gate.commit([]);
  gate.close();
  t.equal(words(verify(gate)), '');
  const files = filesOf(gate);
  const original = new Map(files.map((path) => [path, readFileSync(path)]));
  const truth = readAll(gate.places);
  let found = 0;
  fc.assert(
    fc.property(
      fc.nat(files.length - 1),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.oneof(
        fc.record({ how: fc.constant('flip' as const), by: fc.nat(7) }),
        fc.record({ how: fc.constant('cut' as const), by: fc.nat(3) }),
        fc.record({ how: fc.constant('zero' as const), by: fc.integer({ min: 1, max: 600 }) }),
        fc.record({ how: fc.constant('move' as const), by: fc.integer({ min: 1, max: 60 }) }),
      ),
      (file, where, { how, by }) => {
        const path = files[file]!;
        const bytes = Buffer.from(original.get(path)!);
        const at = Math.floor(where * bytes.length);
        if (how === 'flip') bytes[at]! ^= 1 << by;
        if (how === 'zero') bytes.fill(0, at, Math.min(at + by, bytes.length));
        if (how === 'move') bytes.copyWithin(at, at + by);
        writeFileSync(path, how === 'cut' ? bytes.subarray(0, at) : bytes);
        const verdict = verify(gate);
        const same = readAll(gate.places) === truth;
        writeFileSync(path, original.get(path)!);
        if (verdict.damage > 0) found++;
        else if (!same) {
          // As after a kill: the records are there whole, and the mark that is not is noted.
          const kill = /commits records? .*: the next start marks them/.test(words(verdict));
          if (!kill) throw new Error(`${path} ${how} at ${at} by ${by}:\n${words(verdict)}`);
        }
      },
    ),
    { numRuns: runs(300) },
  );
  t.ok(found > 0.66 * runs(300), `${found} found`);
  t.end();
});

await t.test('bytes that are anything crash nothing', (t) => {
  const directory = t.testdir();
  const gate = fill(directory);
  const path = filesOf(gate)[0]!;
  const { length } = parseHeader(readFileSync(path))!;
  const header = readFileSync(path).subarray(0, length);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000, size: 'max' }), fc.boolean(), (bytes, headed) => {
      writeFileSync(path, headed ? Buffer.concat([header, bytes]) : bytes);
      t.ok(verify(gate).damage > 0);
      surveyJournal(gate.places[0]!.directory);
      readAll(gate.places);
    }),
    { numRuns: runs(40) },
  );
  t.end();
});

await t.test('a directory in the place of a segment, and none at all', (t) => {
  const directory = t.testdir({ public: { [segmentName(1, 1)]: {} } });
  t.throws(() => verifyJournals(lanesIn(join(directory, 'public'), 'public')), /is no file/);
  t.same(verifyJournals(lanesIn(join(directory, 'none'), 'none')).lanes[0]?.segments, 0);
  t.notOk(existsSync(join(directory, 'none')));
  t.same(readdirSync(join(directory, 'public')), [segmentName(1, 1)]);
  t.end();
});
